package show

import (
	"path/filepath"
	"testing"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/ship"
)

// TestCroppedFile: the evidence of an exported network that crops lies where that of its run does.
func TestCroppedFile(t *testing.T) {
	c := run.NewConfig(nets.KindCNN, run.Program{}, 1, []string{"a", "b"})
	c.Pixels, c.Net = &run.PixelsRecord{Side: 71, Fit: run.FitCrop}, nets.StudyCNN(2)
	r := &run.Run{Dir: t.TempDir(), Config: c, Weights: nets.Init(c.Net, 1)}
	file := filepath.Join(t.TempDir(), "net.onnx")
	if err := r.SaveModel(); err != nil {
		t.Fatal(err)
	}
	if _, err := ship.Export(t.Context(), ship.Config{Run: r.Dir, Out: file}); err != nil {
		t.Fatal(err)
	}
	photo, seen := photograph(t, t.TempDir()), map[string][4]float64{}
	for _, path := range []string{r.Dir, file} {
		shown, err := Run(t.Context(), Config{Model: path, Image: photo})
		if err != nil {
			t.Fatal(err)
		}
		seen[path] = shown.Seen
	}
	if seen[file] != seen[r.Dir] || seen[file][2] >= 40 {
		t.Errorf("the run sees %v, its file %v", seen[r.Dir], seen[file])
	}
}
