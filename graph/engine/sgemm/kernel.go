package sgemm

import "sync/atomic"

// kernel is the inner loops for one instruction set.
type kernel struct {
	name       string
	rows, cols int // of the largest tile

	// tile computes C = alpha·A·B + beta·C for r ≤ rows rows and n ≤ cols columns
	// of C, over p < k. A's element (i,p) is a[i·lda+p]. Rows of b are read over all
	// `cols` columns.
	tile tileOf

	// pairs is tile for whole numbers: a and b hold two int16 in the place of each float32, and the sums of
	// the products of both are int32.
	pairs tileOf
	// narrow sets each half of dst's elements to one of src's, whole numbers, as int16; it is not ok if one is NaN or more than
	// largestWhole, and what dst holds then is no matter.
	narrow func(dst, src []float32) (ok bool)

	// dot sets out[i·n+j] to the sum over p < k of a[i·lda+p]·b[j·ldb+p], i < 4,
	// j < n ≤ dotCols; k is a multiple of lanes.
	dot            func(n, k int, a []float32, lda int, b []float32, ldb int, out *[16]float32)
	dotCols, lanes int

	// transpose8 sets dst[j·ldd+i] to src[i·lds+j], i and j < 8.
	transpose8 func(dst []float32, ldd int, src []float32, lds int)

	// standardize sets dst to (src−mean)·scale; len(dst) is a multiple of lanes.
	standardize func(dst, src, mean, scale []float32)
}

type tileOf func(r, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int)

// available lists what this machine runs, best first; the portable one is last.
var available = append(native(), portable)

// current is the kernel in use; tests force the others.
var current = func() *atomic.Pointer[kernel] {
	var p atomic.Pointer[kernel]
	p.Store(&available[0])
	return &p
}()

// Standardize sets dst[i] to (src[i] − mean[i])·scale[i] for the four slices of
// dst's length. dst may be src.
func Standardize(dst, src, mean, scale []float32) {
	n := len(dst)
	src, mean, scale = src[:n], mean[:n], scale[:n]
	kern := current.Load()
	whole := n / kern.lanes * kern.lanes
	if whole > 0 {
		kern.standardize(dst[:whole], src, mean, scale)
	}
	for i := whole; i < n; i++ {
		dst[i] = (src[i] - mean[i]) * scale[i]
	}
}
