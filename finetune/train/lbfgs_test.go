package train

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/finetune/head"
	"graft/finetune/load"
)

// Labels without meaning can be learned by heart, not foretold: a hold-out is
// got right beyond chance only where the mirrored twins of its images were
// trained on.
func TestMirroredTwinsStayOnOneSide(t *testing.T) {
	const n, dim = 200, 250
	rng := rand.New(rand.NewPCG(1, 9))
	f := load.Features{X: make([]float32, n*dim), Dim: dim}
	for i := range f.X {
		f.X[i] = float32(rng.NormFloat64())
	}
	for i := range n {
		f.Labels, f.Indices = append(f.Labels, rng.IntN(2)), append(f.Indices, i)
	}
	f.X, f.Labels, f.Indices = slices.Repeat(f.X, 2), slices.Repeat(f.Labels, 2), slices.Repeat(f.Indices, 2) // as load.ReadFeatures
	out, err := fitLBFGS(context.Background(), f, f.Indices, []string{"a", "b"}, lbfgs{seed: 1}, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.strength.Tried {
		if !(s.Accuracy <= 0.75) {
			t.Errorf("λ %g: %.0f%% of the hold-out right, want about half", s.Lambda, 100*s.Accuracy)
		}
	}
}

func TestAtTheEdge(t *testing.T) {
	tried := []head.Candidate{{Lambda: 0.3}, {Lambda: 0.1}}
	if notes := atTheEdge(head.Selection{Lambda: 0.3, Candidates: tried}); len(notes) != 1 || !strings.Contains(notes[0], "λ 0.3 is the strongest") {
		t.Errorf("the strongest was chosen: notes %q", notes)
	}
	if notes := atTheEdge(head.Selection{Lambda: 0.1, Candidates: tried}); notes != nil {
		t.Errorf("a weaker one was chosen: notes %q", notes)
	}
}
