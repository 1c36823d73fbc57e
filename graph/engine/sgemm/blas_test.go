package sgemm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"graft/graph/engine/sgemm"

	"gonum.org/v1/gonum/blas"
	"gorgonia.org/tensor"
)

func Example() {
	a := []float32{1, 2, 3, 4, 5, 6} // 2×3
	b := []float32{1, 0, 2, 1, 0, 1} // 3×2
	c := make([]float32, 4)
	sgemm.Threads(2).Gemm(false, false, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2)
	fmt.Println(c)
	// Output: [5 5 14 11]
}

func ExampleBLAS() {
	tensor.Use(sgemm.BLAS{})
	a := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}))
	c, err := tensor.MatMul(a, a)
	fmt.Println(c.Data(), err)
	// Output: [7 10 15 22] <nil>
}

func random(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func TestTensorMatMulAllOrders(t *testing.T) {
	tensor.Use(sgemm.BLAS{})
	r := rand.New(rand.NewPCG(9, 10))
	a, b := random(r, 20*30), random(r, 30*40)
	x := tensor.New(tensor.WithShape(20, 30), tensor.WithBacking(a))
	y := tensor.New(tensor.WithShape(30, 40), tensor.WithBacking(b))
	c, err := tensor.MatMul(x, y)
	if err != nil {
		t.Fatal(err)
	}
	got := c.Data().([]float32)
	for i := range 20 {
		for j := range 40 {
			var want float64
			for p := range 30 {
				want += float64(a[i*30+p]) * float64(b[p*40+j])
			}
			if diff := math.Abs(float64(got[i*40+j]) - want); !(diff <= 1e-4) {
				t.Fatalf("C[%d,%d] is %g, want %g", i, j, got[i*40+j], want)
			}
		}
	}
}

func TestBadTranspositionPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	sgemm.BLAS{}.Sgemm('x', blas.NoTrans, 1, 1, 1, 1, []float32{1}, 1, []float32{1}, 1, 0, []float32{1}, 1)
}
