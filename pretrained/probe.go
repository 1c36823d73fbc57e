package pretrained

import (
	"context"
	"errors"
	"fmt"

	"graft/onnx"
	"graft/onnx/session"
)

// probeName is the output that probeShape adds to its copy of a model.
const probeName = "graft_probed_shape"

// probeShape finds the shape of a foreign model's output by running one batch of
// black pixels through a copy of the model that returns the shape. Exporters
// often leave all but the rank open.
func probeShape(ctx context.Context, path string, f *foreignModel, threads int) (shape []int64, err error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	b := onnx.NewBuilder(m)
	b.Output(probeName, b.Op("Shape", probeName+"_node", []string{f.out.Name}), onnx.Int64, onnx.Dim{Value: int64(len(f.out.Dims))})
	// On the CPU: other providers leave Shape to it anyway.
	s, err := OpenModel(m, session.Options{Provider: local(), Threads: threads, Outputs: []string{probeName}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	n := max(1, f.batch)
	shape = make([]int64, len(f.out.Dims))
	in := f.feed(n, make([]float32, n*f.Channels*f.Size*f.Size))
	err = s.Run(ctx, in, []session.Tensor{{Name: probeName, Shape: []int64{int64(len(shape))}, Data: shape}})
	if err == nil && shape[0] != int64(n) {
		err = fmt.Errorf("%d images gave %v; the first number must be that of the images", n, shape)
	}
	return shape, err
}
