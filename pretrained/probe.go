package pretrained

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/session"
)

// probeName begins the names of what probeShapes adds to its copy of a model.
const probeName = "graft_probed_shape"

// maxRank is the most dimensions of a tensor that probeShapes sees.
const maxRank = 8

// probeShapes finds the shapes of tensors of a model, its outputs or others, by running one
// batch of black pixels through a copy of the model that ends there and returns them.
// Exporters often leave all but the rank open, and of inner tensors that too.
func probeShapes(ctx context.Context, path string, a adapter, tensors []string, threads int) (shapes [][]int64, err error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	// A shape of unknown length, made as long as the longest by zeros behind it.
	b := onnx.NewBuilder(m)
	m.Outputs = nil
	zeros, first, last := b.Int64s(probeName+"_zeros", make([]int64, maxRank)...), b.Int64s(probeName+"_first", 0), b.Int64s(probeName+"_last", maxRank)
	var outs []session.Tensor
	for _, t := range tensors {
		s := b.Op("Concat", probeName+"_long", []string{b.Op("Shape", probeName+"_node", []string{t}), zeros}, onnx.Attr{Name: "axis", Value: 0})
		s = b.Op("Slice", probeName, []string{s, first, last})
		b.Output(s, s, onnx.Int64, onnx.Dim{Value: maxRank})
		outs = append(outs, session.Tensor{Name: s, Shape: []int64{maxRank}, Data: make([]int64, maxRank)})
	}
	m.Prune()
	// On the CPU: other providers leave Shape to it anyway.
	s, err := OpenModel(m, session.Options{Provider: local(), Threads: threads, Outputs: session.Names(m.Outputs)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	in, n := a.blank()
	if err := s.Run(ctx, in, outs); err != nil {
		return nil, err
	}
	for i, o := range outs {
		shape := o.Data.([]int64)
		if end := slices.Index(shape, 0); end >= 0 {
			shape = shape[:end]
		}
		if len(shape) == 0 || shape[0] != int64(n) {
			return nil, fmt.Errorf("%s: %d images gave %v; the first number must be that of the images", tensors[i], n, shape)
		}
		shapes = append(shapes, shape)
	}
	return shapes, nil
}
