package dense_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"graft/graph/engine/dense"
	"graft/graph/engine/sgemm"

	"gorgonia.org/tensor"
)

func Example() {
	data := []float32{1, 2, 3, 4, 5, 6}
	t := dense.Of(data, 2, 3)
	data[2] = 9 // the memory is shared
	fmt.Println(t.Shape(), dense.Float32s(t))
	// Output: (2, 3) [1 2 9 4 5 6]
}

func of(t *testing.T, data []float32, shape ...int) *tensor.Dense {
	t.Helper()
	return dense.Of(data, shape...)
}

func six(t *testing.T) *tensor.Dense { return of(t, []float32{1, 2, 3, 4, 5, 6}, 2, 3) }

func slice(t *testing.T, a *tensor.Dense, by ...tensor.Slice) *tensor.Dense {
	t.Helper()
	v, err := a.Slice(by...)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*tensor.Dense)
}

func TestOfKeepsOrderAndMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{}, {1}, {7}, {1, 1}, {3, 1}, {1, 4}, {2, 3, 4}} {
		data := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range data {
			data[i] = float32(r.NormFloat64())
		}
		a := of(t, data, shape...)
		if got := dense.Float32s(a); !slices.Equal(got, data) || &got[0] != &data[0] {
			t.Errorf("shape %v: elements %v, want the memory of %v", shape, got, data)
		}
		if want := max(1, len(shape)); a.Dims() != want {
			t.Errorf("shape %v: %d dimensions, want %d", shape, a.Dims(), want)
		}
	}
}

func TestUsesSgemm(t *testing.T) {
	if _, ok := tensor.WhichBLAS().(sgemm.BLAS); !ok {
		t.Fatalf("gorgonia multiplies with %T", tensor.WhichBLAS())
	}
	c, err := tensor.MatMul(six(t), of(t, []float32{1, 4, 2, 5, 3, 6}, 3, 2))
	if err != nil || !reflect.DeepEqual(c.Data(), []float32{14, 32, 32, 77}) {
		t.Errorf("product %v (%v), want [14 32 32 77]", c, err)
	}
}

// What gorgonia does, so that an upgrade that changes it is noticed.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func(t *testing.T) *tensor.Dense
		shape []int
		data  []float32 // gorgonia's Data
	}{
		{"transposed view keeps the old order", func(t *testing.T) *tensor.Dense {
			a := six(t)
			if err := a.T(); err != nil {
				t.Fatal(err)
			}
			return a
		}, []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}},
		{"transposition moves the data", func(t *testing.T) *tensor.Dense {
			a := six(t)
			if err := a.T(); err != nil {
				t.Fatal(err)
			}
			if err := a.Transpose(); err != nil {
				t.Fatal(err)
			}
			return a
		}, []int{3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		{"a column's data holds its neighbours", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), nil, tensor.S(1))
		}, []int{2}, []float32{2, 3, 4, 5}},
		{"so do several columns'", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), nil, tensor.S(0, 2))
		}, []int{2, 2}, []float32{1, 2, 3, 4, 5}},
		{"one index drops a dimension", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), tensor.S(0))
		}, []int{3}, []float32{1, 2, 3}},
		{"a range of one row does so too", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), tensor.S(1, 2))
		}, []int{3}, []float32{4, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := c.make(t)
			if got := []int(a.Shape()); !reflect.DeepEqual(got, c.shape) {
				t.Errorf("shape %v, want %v", got, c.shape)
			}
			if got := a.Data().([]float32); !reflect.DeepEqual(got, c.data) {
				t.Errorf("gorgonia's data is %v, was %v", got, c.data)
			}
		})
	}
}

// A slice's elements are its parent's, not a copy of them.
func TestSlicesShareMemory(t *testing.T) {
	a := six(t)
	dense.Float32s(slice(t, a, tensor.S(1)))[0] = 9
	if got := dense.Float32s(a)[3]; got != 9 {
		t.Errorf("the parent's element is %g, want 9", got)
	}
}

func TestScalarsHaveNoSlice(t *testing.T) {
	a := tensor.New(tensor.WithShape(), tensor.WithBacking([]float32{3}))
	if got, ok := a.Data().([]float32); ok {
		t.Errorf("gorgonia's scalar now gives the slice %v", got)
	}
}

func TestAddDoesNotBroadcast(t *testing.T) {
	if sum, err := tensor.Add(six(t), of(t, []float32{1, 2, 3}, 3)); err == nil {
		t.Fatalf("gorgonia now adds a row to a matrix: %v", sum)
	}
}

func TestMatMulWantsMatrices(t *testing.T) {
	cube := of(t, []float32{1, 2, 3, 4}, 1, 2, 2)
	if _, err := tensor.MatMul(cube, cube); err == nil {
		t.Error("gorgonia now multiplies tensors of rank 3")
	}
}

// gorgonia multiplies a view of columns as if its elements were adjacent.
func TestMatMulOfColumnViewIsWrong(t *testing.T) {
	view := slice(t, six(t), nil, tensor.S(0, 2)) // 1 2 / 4 5
	got, err := tensor.MatMul(view, view)
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(got.Data(), []float32{9, 12, 24, 33}) {
		t.Error("gorgonia now multiplies column views rightly")
	}
}
