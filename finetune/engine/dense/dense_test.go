package dense_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"graft/finetune/engine/dense"
	"graft/finetune/engine/sgemm"

	"gorgonia.org/tensor"
)

func Example() {
	a, _ := dense.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	c := dense.New(2, 2)
	err := dense.MatMul(c, a, a, false, true)
	data, _ := dense.Float32s(c)
	fmt.Println(data, err)
	// Output: [14 32 32 77] <nil>
}

func TestUsesSgemm(t *testing.T) {
	if _, ok := tensor.WhichBLAS().(sgemm.BLAS); !ok {
		t.Fatalf("gorgonia multiplies with %T", tensor.WhichBLAS())
	}
}

func six(t *testing.T) *tensor.Dense {
	t.Helper()
	a, err := dense.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func slice(t *testing.T, a *tensor.Dense, by ...tensor.Slice) *tensor.Dense {
	t.Helper()
	v, err := a.Slice(by...)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*tensor.Dense)
}

// What gorgonia does, so that an upgrade that changes it is noticed, and what
// Float32s makes of it.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func(t *testing.T) *tensor.Dense
		shape []int
		data  []float32 // gorgonia's Data
		want  []float32 // the elements in row-major order
	}{
		{"transposed view keeps the old order", func(t *testing.T) *tensor.Dense {
			a := six(t)
			if err := a.T(); err != nil {
				t.Fatal(err)
			}
			return a
		}, []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}},
		{"transposition moves the data", func(t *testing.T) *tensor.Dense {
			a := six(t)
			if err := a.T(); err != nil {
				t.Fatal(err)
			}
			if err := a.Transpose(); err != nil {
				t.Fatal(err)
			}
			return a
		}, []int{3, 2}, []float32{1, 4, 2, 5, 3, 6}, []float32{1, 4, 2, 5, 3, 6}},
		{"a column's data holds its neighbours", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), nil, tensor.S(1))
		}, []int{2}, []float32{2, 3, 4, 5}, []float32{2, 5}},
		{"so do several columns'", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), nil, tensor.S(0, 2))
		}, []int{2, 2}, []float32{1, 2, 3, 4, 5}, []float32{1, 2, 4, 5}},
		{"one index drops a dimension", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), tensor.S(0))
		}, []int{3}, []float32{1, 2, 3}, []float32{1, 2, 3}},
		{"a range of one row does so too", func(t *testing.T) *tensor.Dense {
			return slice(t, six(t), tensor.S(1, 2))
		}, []int{3}, []float32{4, 5, 6}, []float32{4, 5, 6}},
		{"Fortran's order is kept", func(t *testing.T) *tensor.Dense {
			return tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{1, 2, 3, 4, 5, 6}))
		}, []int{2, 3}, []float32{1, 4, 2, 5, 3, 6}, []float32{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := c.make(t)
			if got := []int(a.Shape()); !reflect.DeepEqual(got, c.shape) {
				t.Errorf("shape %v, want %v", got, c.shape)
			}
			if got := a.Data().([]float32); !reflect.DeepEqual(got, c.data) {
				t.Errorf("gorgonia's data is %v, was %v", got, c.data)
			}
			got, err := dense.Float32s(a)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("elements %v (%v), want %v", got, err, c.want)
			}
		})
	}
}

func TestAddDoesNotBroadcast(t *testing.T) {
	row, err := dense.Of([]float32{1, 2, 3}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := tensor.Add(six(t), row); err == nil {
		t.Fatalf("gorgonia now adds a row to a matrix: %v", sum)
	}
}

func TestMatMulWantsMatrices(t *testing.T) {
	cube, err := dense.Of([]float32{1, 2, 3, 4}, 1, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tensor.MatMul(cube, cube); err == nil {
		t.Error("gorgonia now multiplies tensors of rank 3")
	}
	if err := dense.MatMul(dense.New(2, 2), cube, cube, false, false); err == nil {
		t.Error("MatMul took a tensor of rank 3")
	}
}

// gorgonia multiplies a view of columns as if its elements were adjacent.
func TestMatMulOfColumnViewIsRefused(t *testing.T) {
	view := slice(t, six(t), nil, tensor.S(0, 2)) // 1 2 / 4 5
	wrong, err := tensor.MatMul(view, view)
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(wrong.Data(), []float32{9, 12, 24, 33}) {
		t.Error("gorgonia now multiplies column views rightly")
	}
	if err := dense.MatMul(dense.New(2, 2), view, view, false, false); err == nil {
		t.Error("MatMul took a view of columns")
	}
}

func TestMemoryIsShared(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	a, err := dense.Of(data, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	row, err := dense.Rows(a, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	data[2] = 9
	if got, err := dense.Float32s(row); err != nil || !reflect.DeepEqual(got, []float32{9, 4}) || row.Dims() != 2 {
		t.Fatalf("row is %v of %v (%v), want [9 4] of (1, 2)", got, row.Shape(), err)
	}
}

func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{1, 1, 1}, {1, 5, 3}, {5, 1, 3}, {4, 3, 1}, {33, 7, 20}} {
		for _, tr := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			m, n, k := s[0], s[1], s[2]
			a, b, c := random(r, m, k, tr[0]), random(r, k, n, tr[1]), dense.New(m, n)
			before := fmt.Sprint(a.Shape(), b.Shape())
			if err := dense.MatMul(c, a, b, tr[0], tr[1]); err != nil {
				t.Fatalf("%v %v: %v", s, tr, err)
			}
			if after := fmt.Sprint(a.Shape(), b.Shape()); after != before {
				t.Fatalf("%v %v: operands' shapes went from %s to %s", s, tr, before, after)
			}
			checkProduct(t, c, a, b, tr, k)
		}
	}
}

func random(r *rand.Rand, rows, cols int, trans bool) *tensor.Dense {
	if trans {
		rows, cols = cols, rows
	}
	t := dense.New(rows, cols)
	data, _ := dense.Float32s(t)
	for i := range data {
		data[i] = float32(r.NormFloat64())
	}
	return t
}

func checkProduct(t *testing.T, c, a, b *tensor.Dense, tr [2]bool, k int) {
	t.Helper()
	at := func(m *tensor.Dense, i, j int, trans bool) float64 {
		if trans {
			i, j = j, i
		}
		v, err := m.At(i, j)
		if err != nil {
			t.Fatal(err)
		}
		return float64(v.(float32))
	}
	for i := range c.Shape()[0] {
		for j := range c.Shape()[1] {
			var want float64
			for p := range k {
				want += at(a, i, p, tr[0]) * at(b, p, j, tr[1])
			}
			if got := at(c, i, j, false); !(math.Abs(got-want) <= 1e-5) {
				t.Fatalf("%v: element %d,%d is %g, want %g", tr, i, j, got, want)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	doubles := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 2}))
	for name, call := range map[string]func() error{
		"too few elements": func() error { _, err := dense.Of([]float32{1}, 2); return err },
		"negative size":    func() error { _, err := dense.Of(nil, -1, 0); return err },
		"float64":          func() error { _, err := dense.Float32s(doubles); return err },
		"rows outside":     func() error { _, err := dense.Rows(six(t), 1, 3); return err },
		"no rows":          func() error { _, err := dense.Rows(six(t), 1, 1); return err },
		"inner sizes":      func() error { return dense.MatMul(dense.New(2, 3), six(t), six(t), false, false) },
		"result's size":    func() error { return dense.MatMul(dense.New(3, 2), six(t), six(t), false, true) },
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
