package session

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// Tensor is an input or output of Run. Data is a []uint8, []int8, []int32,
// []int64, []float32, []float64, []bool or []uint16 (the bits of float16),
// row-major, with as many elements as Shape says. An engine may work on the slice
// itself.
type Tensor struct {
	Name  string
	Shape []int64
	Data  any
}

// Inputs puts the tensors into the order of a model's inputs, all of which must be
// given. Each is checked: its type and shape fit the input's, and Data holds as
// many elements as Shape says, at least one.
func Inputs(values []onnx.Value, tensors []Tensor) ([]*Tensor, error) {
	ordered, err := arrange("input", values, tensors)
	if err != nil {
		return nil, err
	}
	if i := slices.Index(ordered, nil); i >= 0 {
		return nil, fmt.Errorf("run: input %q is missing", values[i].Name)
	}
	return ordered, nil
}

// Outputs does the same for a model's outputs; those not asked for are nil.
func Outputs(values []onnx.Value, tensors []Tensor) ([]*Tensor, error) {
	return arrange("output", values, tensors)
}

func arrange(kind string, values []onnx.Value, tensors []Tensor) ([]*Tensor, error) {
	ordered := make([]*Tensor, len(values))
	for n, t := range tensors {
		i := slices.IndexFunc(values, func(v onnx.Value) bool { return v.Name == t.Name })
		if i < 0 {
			return nil, fmt.Errorf("run: no %s %q, the session has %v", kind, t.Name, Names(values))
		}
		if ordered[i] != nil {
			return nil, fmt.Errorf("run: %s %q is given twice", kind, t.Name)
		}
		if err := t.check(values[i]); err != nil {
			return nil, fmt.Errorf("run: %s %q: %w", kind, t.Name, err)
		}
		ordered[i] = &tensors[n]
	}
	return ordered, nil
}

// check guards the memory that native code will read and write.
func (t Tensor) check(want onnx.Value) error {
	got, n := t.elements()
	size, err := onnx.Elements(t.Shape)
	switch {
	case got == onnx.Undefined:
		return fmt.Errorf("data is a %T, want a slice of %v", t.Data, want.Type)
	case err != nil:
		return err
	case want.Type != got:
		return fmt.Errorf("want %v, got %v", want, got)
	case want.Dims != nil && !fits(want.Dims, t.Shape):
		return fmt.Errorf("want %v, got shape %v", want, t.Shape)
	case size == 0:
		return fmt.Errorf("shape %v holds no elements", t.Shape)
	case size != int64(n):
		return fmt.Errorf("shape %v wants %d elements, got %d", t.Shape, size, n)
	}
	return nil
}

// elements is the type of Data, Undefined where Run does not take it, and its length.
func (t Tensor) elements() (onnx.DType, int) {
	switch data := t.Data.(type) {
	case []uint8:
		return onnx.Uint8, len(data)
	case []int8:
		return onnx.Int8, len(data)
	case []int32:
		return onnx.Int32, len(data)
	case []int64:
		return onnx.Int64, len(data)
	case []float32:
		return onnx.Float32, len(data)
	case []float64:
		return onnx.Float64, len(data)
	case []bool:
		return onnx.Bool, len(data)
	case []uint16:
		return onnx.Float16, len(data)
	}
	return onnx.Undefined, 0
}

// fits reports whether shape agrees with the known dimensions.
func fits(dims []onnx.Dim, shape []int64) bool {
	return slices.EqualFunc(dims, shape, func(d onnx.Dim, n int64) bool { return d.Name != "" || d.Value <= 0 || d.Value == n })
}
