package sgemm

import "golang.org/x/sys/cpu"

// native lists the assembly kernels that this processor runs.
func native() []kernel {
	var ks []kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW {
		ks = append(ks, kernel{
			name: "avx512", rows: 12, cols: 32, lanes: 16, dotCols: 4,
			tile:        tileWith(tiles512),
			pairs:       tileWith(tiles512Pairs),
			narrow:      narrowAsm,
			dot:         dotWith([]dotFunc{dotAVX5121, dotAVX5122, dotAVX5123, dotAVX5124}),
			transpose8:  transpose8Asm,
			standardize: standardizeWith(standardizeAVX512),
		})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ks = append(ks, kernel{
			name: "avx2", rows: 6, cols: 16, lanes: 8, dotCols: 3,
			tile:        tileWith(tiles256),
			pairs:       tileWith(tiles256Pairs),
			narrow:      narrowAsm,
			dot:         dotWith([]dotFunc{dotAVX21, dotAVX22, dotAVX23}),
			transpose8:  transpose8Asm,
			standardize: standardizeWith(standardizeAVX2),
		})
	}
	return ks
}

type (
	tileFunc = func(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, n int, alpha, beta float32)
	dotFunc  = func(k int, a *float32, lda int, b *float32, ldb int, out *float32)
)

// Tiles by their number of rows less one.
var (
	tiles512 = []tileFunc{
		tileAVX512Rows1, tileAVX512Rows2, tileAVX512Rows3, tileAVX512Rows4, tileAVX512Rows5, tileAVX512Rows6,
		tileAVX512Rows7, tileAVX512Rows8, tileAVX512Rows9, tileAVX512Rows10, tileAVX512Rows11, tileAVX512Rows12,
	}
	tiles512Pairs = []tileFunc{
		tileAVX512Pairs1, tileAVX512Pairs2, tileAVX512Pairs3, tileAVX512Pairs4, tileAVX512Pairs5, tileAVX512Pairs6,
		tileAVX512Pairs7, tileAVX512Pairs8, tileAVX512Pairs9, tileAVX512Pairs10, tileAVX512Pairs11, tileAVX512Pairs12,
	}
	tiles256      = []tileFunc{tileAVX2Rows1, tileAVX2Rows2, tileAVX2Rows3, tileAVX2Rows4, tileAVX2Rows5, tileAVX2Rows6}
	tiles256Pairs = []tileFunc{
		tileAVX2Pairs1, tileAVX2Pairs2, tileAVX2Pairs3, tileAVX2Pairs4, tileAVX2Pairs5, tileAVX2Pairs6,
	}
)

func tileWith(rows []tileFunc) tileOf {
	return func(r, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
		rows[r-1](k, &a[0], 4*lda, &b[0], 4*ldb, &c[0], 4*ldc, n, alpha, beta)
	}
}

func dotWith(dots []dotFunc) func(int, int, []float32, int, []float32, int, *[16]float32) {
	return func(n, k int, a []float32, lda int, b []float32, ldb int, out *[16]float32) {
		dots[n-1](k, &a[0], 4*lda, &b[0], 4*ldb, &out[0])
	}
}

func transpose8Asm(dst []float32, ldd int, src []float32, lds int) {
	transpose8AVX2(&dst[0], 4*ldd, &src[0], 4*lds)
}

func standardizeWith(f func(n int, dst, src, mean, scale *float32)) func(dst, src, mean, scale []float32) {
	return func(dst, src, mean, scale []float32) { f(len(dst), &dst[0], &src[0], &mean[0], &scale[0]) }
}

func narrowAsm(dst, src []float32) bool {
	whole := len(src) &^ 15
	ok := narrowGo(dst[whole/2:], src[whole:])
	return (whole == 0 || narrowAVX2(whole, &dst[0], &src[0]) == 0) && ok
}
