package fit

import (
	"fmt"

	"graft/internal/splitmix"
)

// Features are rows [n,Dim] that a frozen backbone has computed, and if Mirrored is not nil the same of the mirrored images.
type Features struct {
	X, Mirrored []float32
	Dim         int
}

func (f Features) check() error {
	if f.Dim < 1 || len(f.X)%f.Dim != 0 || (f.Mirrored != nil && len(f.Mirrored) != len(f.X)) {
		return fmt.Errorf("features: %d values and %d mirrored ones of width %d", len(f.X), len(f.Mirrored), f.Dim)
	}
	return nil
}

// Len is the number of rows.
func (f Features) Len() int { return len(f.X) / f.Dim }

// Shape is [Dim].
func (f Features) Shape() []int { return []int{f.Dim} }

// Views is 2 with mirrored features.
func (f Features) Views() int {
	if f.Mirrored != nil {
		return 2
	}
	return 1
}

// View writes the features, or those of the mirrored images.
func (f Features) View(x []float32, view int, rows []int) error {
	from := f.X
	if view > 0 {
		from = f.Mirrored
	}
	for i, r := range rows {
		copy(x[i*f.Dim:(i+1)*f.Dim], from[r*f.Dim:])
	}
	return nil
}

// flipping is training data that shows each image in every epoch as it is or mirrored, by chance.
type flipping struct {
	Features
	rows    []int
	targets []float32 // [n,classes]
	classes int
	seed    uint64
}

// NewFeatures is the given rows of features to learn from, with targets [f.Len(),classes] of all rows. With mirrored
// features every row is drawn anew from the two in each epoch.
func NewFeatures(f Features, rows []int, targets []float32, classes int, seed uint64) (Data, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if err := checkTargets(targets, f.Len(), classes); err != nil {
		return nil, err
	}
	return &flipping{f, rows, targets, classes, seed}, nil
}

func (d *flipping) Len() int { return len(d.rows) }

func (d *flipping) Batch(x, targets []float32, epoch int, rows []int) error {
	for i, r := range rows {
		index := d.rows[r]
		from := d.X
		if d.Mirrored != nil && splitmix.Next(splitmix.Next(d.seed+uint64(epoch))+uint64(index))&1 == 1 {
			from = d.Mirrored
		}
		copy(x[i*d.Dim:(i+1)*d.Dim], from[index*d.Dim:])
		copy(targets[i*d.classes:(i+1)*d.classes], d.targets[index*d.classes:])
	}
	return nil
}

// Rows is the given rows as they are judged.
func (f Features) Rows(rows []int) Examples { return subset{f, rows} }

// subset is some rows of features.
type subset struct {
	Features
	rows []int
}

func (s subset) Len() int { return len(s.rows) }

func (s subset) View(x []float32, view int, rows []int) error {
	picked := make([]int, len(rows))
	for i, r := range rows {
		picked[i] = s.rows[r]
	}
	return s.Features.View(x, view, picked)
}
