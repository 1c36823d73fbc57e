package sgemm

import "math"

// portable is plain Go: the reference for the others, and what runs where
// there is no assembly.
var portable = kernel{
	name: "portable", rows: 4, cols: 4, tile: tileGo, pairs: pairsGo, narrow: narrowGo,
	dot: dotGo, dotCols: 4, lanes: 1,
	transpose8: transpose8Go, standardize: standardizeGo,
}

func tileGo(r, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	for i := range r {
		sums := rowGo(k, a[i*lda:], b, ldb)
		for j, s := range sums[:n] {
			s *= alpha
			if beta != 0 {
				s += beta * c[i*ldc+j]
			}
			c[i*ldc+j] = s
		}
	}
}

// rowGo is one row of a tile; four sums are what compilers keep in registers.
func rowGo(k int, a []float32, b []float32, ldb int) [4]float32 {
	var s0, s1, s2, s3 float32
	for p, x := range a[:k] {
		row := b[p*ldb : p*ldb+4 : p*ldb+4]
		s0 += x * row[0]
		s1 += x * row[1]
		s2 += x * row[2]
		s3 += x * row[3]
	}
	return [4]float32{s0, s1, s2, s3}
}

func dotGo(n, k int, a []float32, lda int, b []float32, ldb int, out *[16]float32) {
	for i := range 4 {
		x := a[i*lda : i*lda+k]
		for j := range n {
			y := b[j*ldb : j*ldb+k][:len(x)]
			var s float32
			for p, v := range x {
				s += v * y[p]
			}
			out[i*n+j] = s
		}
	}
}

func transpose8Go(dst []float32, ldd int, src []float32, lds int) {
	for i := range 8 {
		for j, v := range src[i*lds : i*lds+8] {
			dst[j*ldd+i] = v
		}
	}
}

func standardizeGo(dst, src, mean, scale []float32) {
	for i := range dst {
		dst[i] = (src[i] - mean[i]) * scale[i]
	}
}

func pairsGo(r, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	for i := range r {
		for j := range n {
			var sum int32
			for p := range k {
				x, y := math.Float32bits(a[i*lda+p]), math.Float32bits(b[p*ldb+j])
				sum += int32(int16(x))*int32(int16(y)) + int32(int16(x>>16))*int32(int16(y>>16))
			}
			s := alpha * float32(sum)
			if beta != 0 {
				s += beta * c[i*ldc+j]
			}
			c[i*ldc+j] = s
		}
	}
}

func narrowGo(dst, src []float32) bool {
	for _, v := range src {
		if !(max(v, -v) <= largestWhole) {
			return false
		}
	}
	for i := range dst {
		high := float32(0)
		if 2*i+1 < len(src) {
			high = src[2*i+1]
		}
		dst[i] = pair(src[2*i], high)
	}
	return true
}

// pair is two whole numbers as int16 in the place of one float32, the first in the lower half.
func pair(low, high float32) float32 {
	return math.Float32frombits(uint32(uint16(int16(low))) | uint32(uint16(int16(high)))<<16)
}
