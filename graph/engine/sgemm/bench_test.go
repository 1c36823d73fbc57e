package sgemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// Random operands: gonum skips zeros. Rates are billions of additions and
// multiplications a second.
func BenchmarkGemm(b *testing.B) {
	for _, s := range []spec{
		{m: 512, n: 512, k: 512},
		{m: 6304, n: 768, k: 768},
		{m: 6304, n: 768, k: 768, transB: true},
		{m: 768, n: 768, k: 4096, transA: true},
		{m: 4096, n: 7, k: 768, transB: true},
		{m: 7, n: 768, k: 4096, transA: true},
		{m: 192, n: 768, k: 6304, transA: true},
		{m: 768, n: 192, k: 6304, transA: true},
		{m: 6304, n: 192, k: 768},
		{m: 6304, n: 768, k: 192},
		{m: 768, n: 7, k: 4096, transA: true},
		{m: 32, n: 120, k: 400, transB: true},
		{m: 6, n: 784, k: 25},
	} {
		s.alpha = 1
		name := fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k)
		if s.transA {
			name += "-At"
		}
		if s.transB {
			name += "-Bt"
		}
		for i := range available {
			b.Run(name+"/"+available[i].name, func(b *testing.B) {
				defer current.Store(current.Swap(&available[i]))
				rate(b, s, Threads(0).Gemm)
			})
		}
		b.Run(name+"/gonum", func(b *testing.B) { rate(b, s, gonumGemm) })
	}
}

type gemmFunc = func(bool, bool, int, int, int, float32, []float32, int, []float32, int, float32, []float32, int)

func rate(b *testing.B, s spec, f gemmFunc) {
	r := rand.New(rand.NewPCG(1, 2))
	x, ldx := stored(r, s.transA, s.m, s.k, 0)
	y, ldy := stored(r, s.transB, s.k, s.n, 0)
	c := make([]float32, s.m*s.n)
	b.ReportAllocs()
	for b.Loop() {
		f(s.transA, s.transB, s.m, s.n, s.k, 1, x, ldx, y, ldy, 0, c, s.n)
	}
	flops := 2 * float64(s.m) * float64(s.n) * float64(s.k) * float64(b.N)
	b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func gonumGemm(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	gonum.Implementation{}.Sgemm(gonumTrans(transA), gonumTrans(transB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

func gonumTrans(t bool) blas.Transpose {
	if t {
		return blas.Trans
	}
	return blas.NoTrans
}

// BenchmarkPacked is a product with weights that are packed once, of float32 and of whole numbers.
func BenchmarkPacked(b *testing.B) {
	const m, n, k = 197, 768, 768
	r := rand.New(rand.NewPCG(1, 1))
	a, w, c := wholes(r, m*k, 127), wholes(r, n*k, 127), make([]float32, m*n)
	whole, err := PackWhole(false, k, n, w, n)
	if err != nil {
		b.Fatal(err)
	}
	for name, x := range map[string]*Packed{"float32": Pack(false, k, n, w, n), "whole": whole} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Serial.GemmPacked(m, a, k, x, 0, n, c, n, nil)
			}
			b.ReportMetric(float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
