package load

import (
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/run"
	"graft/pretrained/store"
)

// Features are the features of rows.
type Features struct {
	run.Rows
	X   []float32 // [len(Labels),Dim], row-major
	Dim int
}

// ReadFeatures reads a split with the taps side by side.
func ReadFeatures(s *store.Store, taps []string, split string) (Features, error) {
	return read(s, taps, split, false)
}

// ReadBoth is ReadFeatures with the mirrored rows after the others.
func ReadBoth(s *store.Store, taps []string, split string) (Features, error) {
	return read(s, taps, split, false, true)
}

func read(s *store.Store, taps []string, split string, mirrored ...bool) (Features, error) {
	m, err := s.Matrix(taps, split, mirrored...)
	if err == nil && len(m.Labels) == 0 {
		err = fmt.Errorf("store %s: split %s has no rows", s.Dir(), split)
	}
	return Features{run.Rows{Labels: m.Labels, IDs: m.IDs, Indices: m.Indices}, m.X, m.Dim}, err
}

// ReadExamples reads a split's features, with flip also those of the mirrored
// images, whose logits are averaged with the others'.
func ReadExamples(s *store.Store, taps []string, split string, flip bool) (fit.Features, run.Rows, error) {
	f, err := ReadFeatures(s, taps, split)
	if err != nil || !flip {
		return fit.Features{X: f.X, Dim: f.Dim}, f.Rows, err
	}
	mirrored, err := read(s, taps, split, true)
	return fit.Features{X: f.X, Dim: f.Dim, Mirrored: mirrored.X}, f.Rows, err
}
