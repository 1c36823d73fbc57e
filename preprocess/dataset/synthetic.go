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

// The words that open what is drawn.
const (
	SyntheticPath = "synthetic"        // faces in FER2013's seven expressions
	ThingsPath    = "synthetic:things" // things that are no expressions: what a network can learn before it sees faces
)

// drawn is one set: its classes, and how an image is drawn of a seed, a stream and a label.
type drawn struct {
	classes []string
	draw    func(seed, stream uint64, label int) preprocess.Image
}

var drawnSets = map[string]drawn{
	SyntheticPath: {FERClasses, synthetic.Face},
	ThingsPath:    {synthetic.ThingClasses(), synthetic.Thing},
}

// DefaultPerClass is the number of synthetic training images a class.
const DefaultPerClass = 200

// maxPerClass keeps the list of samples in memory.
const maxPerClass = 1 << 20

// syntheticSource draws on demand and keeps nothing.
type syntheticSource struct {
	drawn
	seed   uint64
	places []drawing
}

// drawing is a sample's place in the stream of drawings: each split has its own,
// so that more training images leave the test images as they are.
type drawing struct {
	split, index, label int
}

func (s *syntheticSource) image(_ context.Context, i int) (preprocess.Image, error) {
	p := s.places[i]
	return s.draw(s.seed, uint64(p.split)<<32|uint64(p.index), p.label), nil
}

func (s *syntheticSource) keep(samples []int) { s.places = pick(s.places, samples) }

func (s *syntheticSource) Close() error { return nil }

// syntheticForm is what is drawn: faces, things.
type syntheticForm struct{ ofPixels }

func (syntheticForm) sniff(in *input) bool { return in.Drawn() }

// open lists PerClass training images a class and an eighth of that,
// at least four, in either test split, the classes taking turns.
func (syntheticForm) open(_ context.Context, d *Dataset, in *input) error {
	if in.FERPlus != "" {
		return errors.New("the synthetic set has no FER+ votes")
	}
	n := cmp.Or(in.PerClass, DefaultPerClass)
	if n < 1 || n > maxPerClass {
		return fmt.Errorf("synthetic: %d images a class, want 1 to %d", n, maxPerClass)
	}
	src := &syntheticSource{drawn: drawnSets[in.Path], seed: in.Seed}
	d.Kind, d.Classes, d.Splits, d.src = in.Path, src.classes, FERSplits, src
	test := max(int(math.Round(float64(n)/8)), 4)
	for split, perClass := range []int{n, test, test} {
		for i := range perClass * len(src.classes) {
			label := i % len(src.classes)
			d.Samples = append(d.Samples, Sample{ID: ferID(split, len(d.Samples)), Split: FERSplits[split], Label: label})
			src.places = append(src.places, drawing{split, i, label})
		}
	}
	return nil
}
