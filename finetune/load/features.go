package load

import (
	"fmt"
	"slices"

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
	return readInto(nil, s, taps, split)
}

// readInto is ReadFeatures into memory of the capacity of x, which is empty.
func readInto(x []float32, s *store.Store, taps []string, split string) (Features, error) {
	var f Features
	var err error
	if f.X, f.Dim, f.Labels, f.IDs, err = s.AppendMatrix(x, taps, split, false); err != nil {
		return f, err
	}
	for _, r := range s.Rows() {
		if r.Split == split {
			f.Indices = append(f.Indices, r.Index)
		}
	}
	if len(f.Labels) == 0 {
		return f, fmt.Errorf("store %s: split %s has no rows", s.Dir(), split)
	}
	if len(f.Indices) != len(f.Labels) {
		return f, fmt.Errorf("store %s: split %s has %d rows of metadata and %d of features", s.Dir(), split, len(f.Indices), len(f.Labels))
	}
	return f, nil
}

// readMirrored reads the mirrored images' features of the same rows.
func readMirrored(s *store.Store, taps []string, split string) ([]float32, error) {
	x, _, _, _, err := s.Matrix(taps, split, true)
	return x, err
}

// ReadBoth is ReadFeatures with the mirrored rows after the others, read to
// their places in one matrix.
func ReadBoth(s *store.Store, taps []string, split string) (Features, error) {
	found, err := s.ResolveTaps(taps)
	if err != nil {
		return Features{}, err
	}
	dim := 0
	for _, t := range found {
		dim += t.Dim
	}
	f, err := readInto(make([]float32, 0, 2*rowsPerSplit(s)[split]*dim), s, taps, split)
	if err != nil {
		return f, err
	}
	if f.X, _, _, _, err = s.AppendMatrix(f.X, taps, split, true); err != nil {
		return f, err
	}
	f.Labels, f.IDs, f.Indices = slices.Repeat(f.Labels, 2), slices.Repeat(f.IDs, 2), slices.Repeat(f.Indices, 2)
	return f, nil
}

func rowsPerSplit(s *store.Store) map[string]int {
	rows := map[string]int{}
	for _, r := range s.Rows() {
		rows[r.Split]++
	}
	return rows
}

// ReadExamples reads a split's features, with flip also those of the mirrored
// images, whose logits are averaged with the others'.
func ReadExamples(s *store.Store, taps []string, split string, flip bool) (fit.Features, run.Rows, error) {
	f, err := ReadFeatures(s, taps, split)
	if err != nil {
		return fit.Features{}, run.Rows{}, err
	}
	out := fit.Features{X: f.X, Dim: f.Dim}
	if flip {
		out.Mirrored, err = readMirrored(s, taps, split)
	}
	return out, f.Rows, err
}
