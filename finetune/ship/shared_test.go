package ship

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx/ort/orttest"
)

// checkShared wants goroutines that share a predictor to get what one that has
// it alone gets, to the bit.
func checkShared(t *testing.T, p *model.Predictor) {
	t.Helper()
	const goroutines, rounds = 8, 6
	images := runtest.Images()
	var alone [][]float32
	for _, im := range images {
		scores, err := p.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		alone = append(alone, scores)
	}
	var wait sync.WaitGroup
	for g := range goroutines {
		wait.Go(func() {
			for round := range rounds {
				i := (g + round) % len(images)
				if got, err := p.Image(context.Background(), images[i]); err != nil || !slices.Equal(got, alone[i]) {
					t.Errorf("goroutine %d, image %d: %v, alone %v (%v)", g, i, got, alone[i], err)
				}
			}
		})
	}
	wait.Wait()
}

// TestSharedNetworks: heads are checked where their export is.
func TestSharedNetworks(t *testing.T) {
	orttest.Require(t)
	for _, net := range []nets.Net{nets.StudyCNN(3), nets.StudyViT(3)} {
		t.Run(net.Kind(), func(t *testing.T) {
			c := run.NewConfig(net.Kind(), run.Program{}, 1, []string{"a", "b", "c"})
			c.Pixels = &run.PixelsRecord{Side: 48, Fit: run.FitResize, Mirror: true}
			c.Net = net
			r := &run.Run{Dir: t.TempDir(), Config: c, Weights: nets.Init(net, 1)}
			if err := r.SaveModel(); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "net.onnx")
			if _, err := Export(t.Context(), Config{Run: r.Dir, Out: out}); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{r.Dir, out} {
				t.Run(fmt.Sprint(filepath.Ext(path)), func(t *testing.T) { checkShared(t, openTest(t, path)) })
			}
		})
	}
}
