package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"graft/preprocess"
	"graft/preprocess/synthetic"
)

// DefaultPerClass is the number of synthetic training images a class.
const DefaultPerClass = 200

// maxPerClass keeps the list of samples in memory.
const maxPerClass = 1 << 20

// syntheticSource draws on demand and keeps nothing.
type syntheticSource struct {
	seed  uint64
	faces []face
}

// face is a sample's place in the stream of drawings: each split has its own,
// so that more training images leave the test images as they are.
type face struct {
	split, index, label int
}

func (s *syntheticSource) image(_ context.Context, i int) (preprocess.Image, error) {
	f := s.faces[i]
	return synthetic.Face(s.seed, uint64(f.split)<<32|uint64(f.index), f.label), nil
}

func (s *syntheticSource) keep(samples []int) { s.faces = pick(s.faces, samples) }

func (s *syntheticSource) Close() error { return nil }

// syntheticForm is the drawn faces.
type syntheticForm struct{ ofPixels }

func (syntheticForm) sniff(in *input) bool { return in.Drawn() }

// open lists PerClass training faces a class and an eighth of that,
// at least four, in either test split, the classes taking turns.
func (syntheticForm) open(_ context.Context, d *Dataset, in *input) error {
	if in.FERPlus != "" {
		return errors.New("the synthetic set has no FER+ votes")
	}
	n := cmp.Or(in.PerClass, DefaultPerClass)
	if n < 1 || n > maxPerClass {
		return fmt.Errorf("synthetic: %d images a class, want 1 to %d", n, maxPerClass)
	}
	src := &syntheticSource{seed: in.Seed}
	d.Kind, d.Classes, d.Splits, d.src = SyntheticPath, FERClasses, FERSplits, src
	test := max(int(math.Round(float64(n)/8)), 4)
	for split, perClass := range []int{n, test, test} {
		for i := range perClass * len(FERClasses) {
			label := i % len(FERClasses)
			d.Samples = append(d.Samples, Sample{ID: ferID(split, len(d.Samples)), Split: FERSplits[split], Label: label})
			src.faces = append(src.faces, face{split, i, label})
		}
	}
	return nil
}
