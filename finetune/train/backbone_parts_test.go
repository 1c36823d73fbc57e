package train

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/ship"
	"graft/onnx"
)

// TestBackboneParts trains parts of the blocks alone, and wants what was learned to fold into the exported file.
func TestBackboneParts(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short runs, as under the race detector: more networks on the same code as TestBackboneRuns")
	}
	for _, part := range []struct {
		with    Tuning
		network int // parameters of the network that learn: of two blocks of width 32 with 64 within, and a norm of 32
	}{
		{Tuning{Only: OnlyBiases}, 2*(2*32+96+32+64+32) + 32},
		{Tuning{Only: OnlyNorms}, 2*4*32 + 64},
		{Tuning{Only: OnlyScale}, 2 * 2 * (96 + 32 + 64 + 32)},
		{Tuning{Lora: 4}, 2 * 4 * (32 + 96 + 32 + 32 + 32 + 64 + 64 + 32)},
	} {
		t.Run(part.with.Only, func(t *testing.T) {
			dir := t.TempDir()
			c := smallTuning(t, dir)
			c.Only, c.Lora, c.Views = part.with.Only, part.with.Lora, 2
			r := tune(t, c)
			tail := r.Run.Config.Net.(nets.Tail)
			if a := r.Run.Config.Training.Augment.String(); a != "mixup=0.2" {
				t.Errorf("two views were changed by %s, it says", a)
			}
			if got := nets.Parameters(tail) - nets.Parameters(tail.Head); got != part.network {
				t.Errorf("%d parameters of the network learn, want %d", got, part.network)
			}
			for name, v := range r.Run.Weights {
				if strings.HasSuffix(name, ".lora_b") && slices.Max(v) == 0 {
					t.Errorf("%s has not learned", name)
				}
			}
			file := filepath.Join(dir, "faces.onnx")
			if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
				t.Fatal(err)
			}
			checkPredictor(t, c.Out, file)
			checkTail(t, c, r.Run)
		})
	}
}

// checkTail wants the folded network to give what the tail gives in which adapters stand beside the weights.
func checkTail(t *testing.T, c BackboneConfig, r *run.Run) {
	t.Helper()
	m, err := onnx.Open(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tail := r.Config.Net.(nets.Tail)
	tail.Backbone = m
	x := make([]float32, tail.InputShape()[0])
	for i := range x {
		x[i] = float32(i%17)/8 - 1
	}
	before := logitsOf(t, tail, r.Weights, x)
	if err := tail.Fold(m, r.Weights); err != nil {
		t.Fatal(err)
	}
	tail.Learned, tail.Adapters = nil, nil
	if err := tail.Check(); err != nil {
		t.Fatal(err)
	}
	after := logitsOf(t, tail, r.Weights, x)
	for i := range before {
		if !(math.Abs(float64(after[i]-before[i])) < 2e-5*(1+math.Abs(float64(before[i])))) {
			t.Errorf("logit %d: %g folded, %g beside", i, after[i], before[i])
		}
	}
}

func logitsOf(t *testing.T, net nets.Net, weights map[string][]float32, x []float32) []float32 {
	t.Helper()
	e, err := fit.NewEvaluator(net, 1, 1)
	if err == nil {
		err = e.Use(weights)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Logits(t.Context(), fit.Features{X: x, Dim: len(x)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
