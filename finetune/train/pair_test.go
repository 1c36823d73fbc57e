package train

import (
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/ship"
	"graft/onnx"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/pretrained/vit/vittest"
)

// pair makes of a fine-tuning one whose frozen part is another precision's file.
func pair(t *testing.T, dir string, kind precision.Kind) BackboneConfig {
	t.Helper()
	c := smallTuning(t, dir)
	c.Tail, c.Model = c.Model, filepath.Join(dir, string(kind)+".onnx")
	c.Views, c.Fit.Epochs, c.Taps = 2, 1, []string{"all"}
	if _, err := precision.ConvertFile(c.Tail, c.Model, kind); err != nil {
		t.Fatal(err)
	}
	if kind == precision.Float16 {
		c.Runtime.Provider = session.Go // the CPU of ONNX Runtime has no kernels for it
	}
	return c
}

// TestTail has the frozen part run in int8 and in float16, and wants eval and the exported file to be of the float32 file
// throughout, and the run to say so.
func TestTail(t *testing.T) {
	for _, kind := range []precision.Kind{precision.Int8, precision.Float16} {
		t.Run(string(kind), func(t *testing.T) {
			dir := t.TempDir()
			c := pair(t, dir, kind)
			var said []string
			r, err := Backbone(t.Context(), c, Observer{Log: func(line string) { said = append(said, line) }})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(said, "\n"), "away from "+c.Tail+" at tokens_1") {
				t.Errorf("how far the two files are apart is not told: %q", said)
			}
			record := r.Run.Config.Backbone
			model, tail := hash(t, c.Model), hash(t, c.Tail)
			if record.SHA256 != tail || record.Model != c.Tail || record.Before == nil || record.Before.SHA256 != model || record.Before.Precision != string(kind) {
				t.Errorf("%+v, %+v: want both files", record, record.Before)
			}
			if notes := strings.Join(r.Run.Config.Notes, "\n"); !strings.Contains(notes, "judged and exported is tiny.onnx") {
				t.Errorf("notes %q", notes)
			}
			again, err := judge.Evaluate(t.Context(), judge.Config{Run: c.Out, Splits: []string{"public-test"}})
			if err != nil || again.Reports[0].Correct != r.Reports[0].Correct {
				t.Errorf("%+v, %v; training said %d right", again.Reports, err, r.Reports[0].Correct)
			}
			file := filepath.Join(dir, "faces.onnx")
			if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
				t.Fatal(err)
			}
			checkTensors(t, c.Tail, file, r.Run)
			checkPredictor(t, c.Out, file)
			_, err = ship.Export(t.Context(), ship.Config{Run: c.Out, Model: c.Model, Out: file, Version: "v1"})
			runtest.WantError(t, err, model, tail)
		})
	}
}

func hash(t *testing.T, path string) string {
	t.Helper()
	h, err := onnx.Hash(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestTailRefuses: files that are not of one network do not train together, and int8 alone does not train.
func TestTailRefuses(t *testing.T) {
	dir := t.TempDir()
	network := vittest.Config
	network.Depth = 3
	other := vittest.Write(t, t.TempDir(), network, 2)
	pretending := filepath.Join(dir, "pretending.onnx")
	m, err := onnx.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Metadata["graft.source"] = "random:1"
	if err := m.WriteFile(pretending); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct {
		change func(*BackboneConfig)
		words  []string
	}{
		{func(c *BackboneConfig) { c.Tail = "" }, []string{"--tail", "only float32"}},
		{func(c *BackboneConfig) { c.Tail = c.Model }, []string{"itself"}},
		{func(c *BackboneConfig) { c.Tail = other }, []string{"another network", "random:2", "random:1"}},
		{func(c *BackboneConfig) { c.Tail = pretending }, []string{"away from", "at tokens_1 on one image", "other weights"}},
		{func(c *BackboneConfig) { c.Unfreeze, c.Views = UnfreezeAll, 0 }, []string{"tail", "nothing for"}},
	} {
		c := pair(t, dir, precision.Int8)
		wrong.change(&c)
		_, err := Backbone(t.Context(), c, Observer{})
		runtest.WantError(t, err, wrong.words...)
	}
}
