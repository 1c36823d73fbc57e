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
	X    []float32 // [len(Labels),Dim], row-major
	Dim  int
	Flip bool // the second half of the rows are the mirrored images of the first
}

// ReadFeatures reads a split with the taps side by side, with flip the mirrored
// images' rows after the others.
func ReadFeatures(s *store.Store, taps []string, split string, flip bool) (Features, error) {
	views := []bool{false}
	if flip {
		views = append(views, true)
	}
	m, err := s.Matrix(taps, split, views...)
	if err == nil && len(m.Labels) == 0 {
		err = fmt.Errorf("store %s: split %s has no rows", s.Dir(), split)
	}
	return Features{run.Rows{Labels: m.Labels, IDs: m.IDs, Indices: m.Indices, Contents: m.Contents, Groups: m.Groups}, m.X, m.Dim, flip}, err
}

// Examples are the images as networks see them: a mirrored one is no row of its own but
// the other view of its image, and the logits of both are averaged. Nothing is copied.
func (f Features) Examples() (fit.Features, run.Rows) {
	if !f.Flip {
		return fit.Features{X: f.X, Dim: f.Dim}, f.Rows
	}
	n := len(f.Labels) / 2
	return fit.Features{X: f.X[:n*f.Dim], Mirrored: f.X[n*f.Dim:], Dim: f.Dim},
		f.Rows.First(n)
}

// relabelled are the features with labels numbered anew, without rows whose label has no number, -1.
func (f Features) relabelled(to []int) Features {
	var known []int
	images := len(f.Labels)
	if f.Flip {
		images /= 2
	}
	for i, label := range f.Labels[:images] {
		if to[label] >= 0 {
			known = append(known, i)
		}
	}
	if len(known) < images {
		f = f.At(known)
	}
	f.Labels = slices.Clone(f.Labels)
	for i, label := range f.Labels {
		f.Labels[i] = to[label]
	}
	return f
}

// At are the features of some images by their numbers, with Flip both views of each.
func (f Features) At(images []int) Features {
	rows := slices.Clone(images)
	if f.Flip {
		for _, i := range images {
			rows = append(rows, i+len(f.Labels)/2)
		}
	}
	out := Features{Rows: f.Rows.At(rows), Dim: f.Dim, Flip: f.Flip, X: make([]float32, 0, len(rows)*f.Dim)}
	for _, i := range rows {
		out.X = append(out.X, f.X[i*f.Dim:(i+1)*f.Dim]...)
	}
	return out
}
