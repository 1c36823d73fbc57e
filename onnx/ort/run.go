package ort

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx"
	"graft/onnx/ort/internal/sigkeep"
)

// Tensor is an input or output of Run. Data is a []uint8, []int8, []int32,
// []int64, []float32, []float64, []bool or []uint16 (the bits of float16), row-major, with as many elements as
// Shape says. ONNX Runtime works on the slice itself: nothing is copied.
type Tensor struct {
	Name  string
	Shape []int64
	Data  any
}

// Run computes out from in. The slices of out must have the sizes that the model
// gives for these inputs and are filled. All inputs are needed; outputs not
// asked for are computed and thrown away, see Options.Outputs. A cancelled ctx
// stops the computation between two nodes, and Run returns its error.
func (s *Session) Run(ctx context.Context, in, out []Tensor) error {
	if s.native == nil {
		return errors.New("run: the session is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	ins, err := wrapAll("input", s.inputs, in, &pins)
	defer destroy(ins)
	if err != nil {
		return err
	}
	outs, err := wrapAll("output", s.outputs, out, &pins)
	// A closure: the binding fills in the outputs that were not asked for.
	defer func() { destroy(outs) }()
	if err != nil {
		return err
	}
	if err := s.checkComplete(ins, outs); err != nil {
		return err
	}
	select {
	case control := <-s.controls:
		defer func() { s.controls <- control }()
		return s.run(ctx, control, ins, outs)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkComplete wants every input, and outputs left out only where the binding
// can allocate them itself.
func (s *Session) checkComplete(ins, outs []native.Value) error {
	for i, v := range ins {
		if v == nil {
			return fmt.Errorf("run: input %q is missing", s.inputs[i].Name)
		}
	}
	for i, v := range outs {
		w := s.outputs[i]
		if v == nil && (w.Type == onnx.Float16 || w.Type == onnx.BFloat16 || len(w.Dims) == 0) {
			return fmt.Errorf("run: output %s was not asked for and cannot be thrown away: name the wanted outputs in Options.Outputs", w)
		}
	}
	return nil
}

// run lets a cancelled ctx terminate the native call. Providers may replace
// signal handlers as late as in the first run.
func (s *Session) run(ctx context.Context, control *native.RunOptions, ins, outs []native.Value) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = control.Terminate()
		close(ended)
	})
	call := func() error { return s.native.RunWithOptions(ins, outs, control) }
	var err error
	if s.warm || s.provider == CPU {
		err = call()
	} else {
		err = sigkeep.Keep(call)
		s.warm = true
	}
	if !stop() {
		<-ended // the flag must not be set after it is cleared
		err = errors.Join(ctx.Err(), control.UnsetTerminate())
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("run on %s: %w", s.provider, err)
	}
	return err
}

// wrapAll puts the tensors into the order of the model's values.
func wrapAll(kind string, values []onnx.Value, tensors []Tensor, pins *runtime.Pinner) ([]native.Value, error) {
	wrapped := make([]native.Value, len(values))
	for _, t := range tensors {
		i := slices.IndexFunc(values, func(v onnx.Value) bool { return v.Name == t.Name })
		if i < 0 {
			return wrapped, fmt.Errorf("run: no %s %q, the session has %v", kind, t.Name, names(values))
		}
		if wrapped[i] != nil {
			return wrapped, fmt.Errorf("run: %s %q is given twice", kind, t.Name)
		}
		v, err := wrap(values[i], t, pins)
		if err != nil {
			return wrapped, fmt.Errorf("run: %s %q: %w", kind, t.Name, err)
		}
		wrapped[i] = v
	}
	return wrapped, nil
}

// wrap makes a native value that uses the tensor's slice.
func wrap(want onnx.Value, t Tensor, pins *runtime.Pinner) (native.Value, error) {
	switch data := t.Data.(type) {
	case []uint8:
		return wrapSlice(want, onnx.Uint8, t.Shape, data, pins)
	case []int8:
		return wrapSlice(want, onnx.Int8, t.Shape, data, pins)
	case []int32:
		return wrapSlice(want, onnx.Int32, t.Shape, data, pins)
	case []int64:
		return wrapSlice(want, onnx.Int64, t.Shape, data, pins)
	case []float32:
		return wrapSlice(want, onnx.Float32, t.Shape, data, pins)
	case []float64:
		return wrapSlice(want, onnx.Float64, t.Shape, data, pins)
	case []bool:
		return wrapSlice(want, onnx.Bool, t.Shape, data, pins)
	case []uint16:
		return wrapHalf(want, t.Shape, data, pins)
	}
	return nil, fmt.Errorf("data is a %T, want a slice of %v", t.Data, want.Type)
}

func wrapSlice[T native.TensorData](want onnx.Value, got onnx.DType, shape []int64, data []T, pins *runtime.Pinner) (native.Value, error) {
	if err := checkTensor(want, got, shape, len(data)); err != nil {
		return nil, err
	}
	pins.Pin(&data[0])
	v, err := native.NewTensor(native.Shape(shape), data)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func wrapHalf(want onnx.Value, shape []int64, data []uint16, pins *runtime.Pinner) (native.Value, error) {
	if err := checkTensor(want, onnx.Float16, shape, len(data)); err != nil {
		return nil, err
	}
	pins.Pin(&data[0])
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), 2*len(data))
	v, err := native.NewCustomDataTensor(native.Shape(shape), raw, native.TensorElementDataTypeFloat16)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// checkTensor guards the memory that native code will read and write.
func checkTensor(want onnx.Value, got onnx.DType, shape []int64, n int) error {
	size, err := onnx.Elements(shape)
	switch {
	case err != nil:
		return err
	case want.Type != got:
		return fmt.Errorf("want %v, got %v", want, got)
	case len(shape) == 0:
		return fmt.Errorf("want %v, got a scalar, which the binding cannot pass", want)
	case want.Dims != nil && !fits(want.Dims, shape):
		return fmt.Errorf("want %v, got shape %v", want, shape)
	case size == 0:
		return fmt.Errorf("shape %v holds no elements", shape)
	case size != int64(n):
		return fmt.Errorf("shape %v wants %d elements, got %d", shape, size, n)
	}
	return nil
}

// fits reports whether shape agrees with the known dimensions.
func fits(dims []onnx.Dim, shape []int64) bool {
	if len(dims) != len(shape) {
		return false
	}
	for i, d := range dims {
		if d.Name == "" && d.Value > 0 && d.Value != shape[i] {
			return false
		}
	}
	return true
}

func destroy(values []native.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy()
		}
	}
}
