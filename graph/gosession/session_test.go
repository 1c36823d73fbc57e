package gosession_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/session"
)

// affine is y = relu(x·w) and its sum over the last axis, of x [N,T,3].
func affine() *onnx.Model {
	m := &onnx.Model{Name: "test", Opset: 13}
	b := onnx.NewBuilder(m)
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Name: "T"}, onnx.Dim{Value: 3})
	y := b.Op("Relu", "y", []string{b.Op("MatMul", "xw", []string{x, b.Float32s("w", []float32{1, -1, 0, 2, 3, -3}, 3, 2)})})
	b.Output("sum", b.Op("ReduceSum", "sum", []string{y, b.Int64s("axes", -1)}, onnx.Attr{Name: "keepdims", Value: 0}), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Name: "T"})
	b.Output("y", y, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Name: "T"}, onnx.Dim{Value: 2})
	b.Output("shape", b.Op("Shape", "shape", []string{x}), onnx.Int64, onnx.Dim{Value: 3})
	return m
}

func open(t testing.TB, m *onnx.Model, o session.Options) session.Session {
	t.Helper()
	o.Provider = session.Go
	s, err := gosession.Open(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// check runs n rows of tokens and compares with the definition.
func check(s session.Session, n, tokens int, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n*tokens*3)
	for i := range x {
		x[i] = float32(r.IntN(9) - 4)
	}
	sum := make([]float32, n*tokens)
	err := s.Run(context.Background(), []session.Tensor{{Name: "x", Shape: []int64{int64(n), int64(tokens), 3}, Data: x}},
		[]session.Tensor{{Name: "sum", Shape: []int64{int64(n), int64(tokens)}, Data: sum}})
	for i := range sum {
		a, b, c := x[3*i], x[3*i+1], x[3*i+2]
		if want := max(a+3*c, 0) + max(-a+2*b-3*c, 0); err == nil && sum[i] != want {
			return errors.New("wrong numbers")
		}
	}
	return err
}

// TestShapes: any batch and size, in any order, from several goroutines at once.
func TestShapes(t *testing.T) {
	for _, throughput := range []bool{false, true} {
		s := open(t, affine(), session.Options{Threads: 3, Throughput: throughput})
		if want := map[bool]int{false: 1, true: 3}[throughput]; s.Streams() != want {
			t.Errorf("%d streams, want %d", s.Streams(), want)
		}
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for k := range 20 {
					if err := check(s, 1+(i+k)%5, 1+k%3, uint64(i*100+k)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
}

// TestOutputs: those asked for, whole numbers too, and what does not fit is named.
func TestOutputs(t *testing.T) {
	s := open(t, affine(), session.Options{})
	x := session.Tensor{Name: "x", Shape: []int64{2, 1, 3}, Data: []float32{1, 1, 1, 0, 0, -1}}
	y, shape := make([]float32, 4), make([]int64, 3)
	err := s.Run(t.Context(), []session.Tensor{x}, []session.Tensor{{Name: "shape", Shape: []int64{3}, Data: shape}, {Name: "y", Shape: []int64{2, 1, 2}, Data: y}})
	if err != nil || !slices.Equal(y, []float32{4, 0, 0, 3}) || !slices.Equal(shape, []int64{2, 1, 3}) {
		t.Errorf("%v, %v, %v", err, y, shape)
	}
	err = s.Run(t.Context(), []session.Tensor{x}, []session.Tensor{{Name: "y", Shape: []int64{1, 2, 2}, Data: y}})
	if err == nil || !strings.Contains(err.Error(), `"y"`) || !strings.Contains(err.Error(), "[2 1 2]") {
		t.Errorf("another shape: %v", err)
	}
	only := open(t, affine(), session.Options{Outputs: []string{"sum"}})
	if err := check(only, 4, 2, 9); err != nil {
		t.Error(err)
	}
	if len(only.Outputs()) != 3 || only.Provider() != session.Go || only.RuntimeVersion() == "" {
		t.Errorf("%v, %s, %q", only.Outputs(), only.Provider(), only.RuntimeVersion())
	}
}

// TestTypes takes pixels of every type as they are.
func TestTypes(t *testing.T) {
	for typ, data := range map[onnx.DType]any{
		onnx.Uint8: []uint8{0, 255}, onnx.Int8: []int8{-3, 4}, onnx.Float16: []uint16{0x3c00, 0xc000},
		onnx.Float64: []float64{0.5, -2},
	} {
		m := &onnx.Model{Opset: 13}
		b := onnx.NewBuilder(m)
		x := b.Input("x", typ, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
		x = b.Op("Cast", "float", []string{x}, onnx.Attr{Name: "to", Value: int64(onnx.Float32)})
		b.Output("y", b.Op("Mul", "y", []string{x, b.Float32s("two", []float32{2})}), onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 2})
		y := make([]float32, 2)
		err := open(t, m, session.Options{}).Run(t.Context(), []session.Tensor{{Name: "x", Shape: []int64{1, 2}, Data: data}}, []session.Tensor{{Name: "y", Shape: []int64{1, 2}, Data: y}})
		want := map[onnx.DType][]float32{onnx.Uint8: {0, 510}, onnx.Int8: {-6, 8}, onnx.Float16: {2, -4}, onnx.Float64: {1, -4}}[typ]
		if err != nil || !slices.Equal(y, want) {
			t.Errorf("%v: %v, %v, want %v", typ, err, y, want)
		}
	}
}

// countdown is a context that ends when it was asked a number of times.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancel: a context that ends stops the run between two steps, and the session goes on.
func TestCancel(t *testing.T) {
	s := open(t, affine(), session.Options{})
	if err := check(s, 2, 2, 1); err != nil {
		t.Fatal(err)
	}
	x := []session.Tensor{{Name: "x", Shape: []int64{1, 1, 3}, Data: make([]float32, 3)}}
	sum := []float32{7}
	for steps := range 2 {
		err := s.Run(countdown{context.Background(), &steps}, x, []session.Tensor{{Name: "sum", Shape: []int64{1, 1}, Data: sum}})
		if !errors.Is(err, context.Canceled) || sum[0] != 7 {
			t.Errorf("after %d steps: %v, %v", steps, err, sum)
		}
	}
	if err := check(s, 2, 2, 2); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	s := open(t, affine(), session.Options{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := check(s, 1, 1, 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
	for want, o := range map[string]session.Options{
		"this engine is provider go": {Provider: session.CPU},
		`no output "z"`:              {Provider: session.Go, Outputs: []string{"z"}},
		"not go":                     {Provider: session.Go, ProviderOptions: map[string]string{"a": "b"}},
	} {
		if _, err := gosession.Open(affine(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}
