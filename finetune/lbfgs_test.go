package finetune

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/finetune/head"
)

// Labels without meaning can be learned by heart, not foretold: a hold-out is
// got right beyond chance only where the mirrored twins of its images were
// trained on.
func TestMirroredTwinsStayOnOneSide(t *testing.T) {
	const n, dim = 200, 250
	rng := rand.New(rand.NewPCG(1, 9))
	f := features{x: random32(rng, n*dim, 1), dim: dim}
	for i := range n {
		f.labels, f.indices = append(f.labels, rng.IntN(2)), append(f.indices, i)
	}
	f.x, f.labels, f.indices = slices.Repeat(f.x, 2), slices.Repeat(f.labels, 2), slices.Repeat(f.indices, 2) // as loadBoth
	out, err := fitLBFGS(context.Background(), HeadConfig{Seed: 1}, f, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.record.Tried {
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
