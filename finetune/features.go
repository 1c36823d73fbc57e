package finetune

import (
	"fmt"
	"slices"

	"graft/pretrained/store"
)

// rows are the samples of one split.
type rows struct {
	labels  []int
	ids     []string
	indices []int // positions in the dataset
}

// features are the features of rows: x is [len(labels), dim] row-major.
type features struct {
	rows
	x   []float32
	dim int
}

// loadFeatures reads a split with the taps side by side.
func loadFeatures(s *store.Store, taps []string, split string) (features, error) {
	return loadInto(nil, s, taps, split)
}

// loadInto is loadFeatures into memory of the capacity of x, which is empty.
func loadInto(x []float32, s *store.Store, taps []string, split string) (features, error) {
	var f features
	var err error
	if f.x, f.dim, f.labels, f.ids, err = s.AppendMatrix(x, taps, split, false); err != nil {
		return f, err
	}
	for _, r := range s.Rows() {
		if r.Split == split {
			f.indices = append(f.indices, r.Index)
		}
	}
	if len(f.labels) == 0 {
		return f, fmt.Errorf("store %s: split %s has no rows", s.Dir(), split)
	}
	if len(f.indices) != len(f.labels) {
		return f, fmt.Errorf("store %s: split %s has %d rows of metadata and %d of features", s.Dir(), split, len(f.indices), len(f.labels))
	}
	return f, nil
}

// loadMirrored reads the mirrored images' features of the same rows.
func loadMirrored(s *store.Store, taps []string, split string) ([]float32, error) {
	x, _, _, _, err := s.Matrix(taps, split, true)
	return x, err
}

// loadBoth is loadFeatures with the mirrored rows after the others, read to
// their places in one matrix.
func loadBoth(s *store.Store, taps []string, split string) (features, error) {
	found, err := s.ResolveTaps(taps)
	if err != nil {
		return features{}, err
	}
	dim := 0
	for _, t := range found {
		dim += t.Dim
	}
	f, err := loadInto(make([]float32, 0, 2*rowsPerSplit(s)[split]*dim), s, taps, split)
	if err != nil {
		return f, err
	}
	if f.x, _, _, _, err = s.AppendMatrix(f.x, taps, split, true); err != nil {
		return f, err
	}
	f.labels, f.ids, f.indices = slices.Repeat(f.labels, 2), slices.Repeat(f.ids, 2), slices.Repeat(f.indices, 2)
	return f, nil
}

func rowsPerSplit(s *store.Store) map[string]int {
	rows := map[string]int{}
	for _, r := range s.Rows() {
		rows[r.Split]++
	}
	return rows
}
