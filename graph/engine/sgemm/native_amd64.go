package sgemm

import "golang.org/x/sys/cpu"

// native lists the assembly kernels that this processor runs.
func native() []kernel {
	var ks []kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW {
		ks = append(ks, kernel{
			name: "avx512", rows: 12, cols: 32, lanes: 16, dotCols: 4,
			tile:        tileWith(tiles512Rows, tiles512Columns),
			pairs:       tileWith(tiles512Pairs, nil),
			narrow:      narrowAsm,
			dot:         dotWith([]dotFunc{dotAVX5121, dotAVX5122, dotAVX5123, dotAVX5124}),
			transpose8:  transpose8Asm,
			standardize: standardizeWith(standardizeAVX512),
		})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		ks = append(ks, kernel{
			name: "avx2", rows: 6, cols: 16, lanes: 8, dotCols: 3,
			tile:        tileWith(tiles256Rows, tiles256Columns),
			pairs:       tileWith(tiles256Pairs, nil),
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
	tiles512Rows = []tileFunc{
		tileAVX512Rows1, tileAVX512Rows2, tileAVX512Rows3, tileAVX512Rows4, tileAVX512Rows5, tileAVX512Rows6,
		tileAVX512Rows7, tileAVX512Rows8, tileAVX512Rows9, tileAVX512Rows10, tileAVX512Rows11, tileAVX512Rows12,
	}
	tiles512Columns = []tileFunc{
		tileAVX512Columns1, tileAVX512Columns2, tileAVX512Columns3, tileAVX512Columns4, tileAVX512Columns5, tileAVX512Columns6,
		tileAVX512Columns7, tileAVX512Columns8, tileAVX512Columns9, tileAVX512Columns10, tileAVX512Columns11, tileAVX512Columns12,
	}
	tiles512Pairs = []tileFunc{
		tileAVX512PairsRows1, tileAVX512PairsRows2, tileAVX512PairsRows3, tileAVX512PairsRows4, tileAVX512PairsRows5, tileAVX512PairsRows6,
		tileAVX512PairsRows7, tileAVX512PairsRows8, tileAVX512PairsRows9, tileAVX512PairsRows10, tileAVX512PairsRows11, tileAVX512PairsRows12,
	}
	tiles256Rows    = []tileFunc{tileAVX2Rows1, tileAVX2Rows2, tileAVX2Rows3, tileAVX2Rows4, tileAVX2Rows5, tileAVX2Rows6}
	tiles256Columns = []tileFunc{tileAVX2Columns1, tileAVX2Columns2, tileAVX2Columns3, tileAVX2Columns4, tileAVX2Columns5, tileAVX2Columns6}
	tiles256Pairs   = []tileFunc{
		tileAVX2PairsRows1, tileAVX2PairsRows2, tileAVX2PairsRows3, tileAVX2PairsRows4, tileAVX2PairsRows5, tileAVX2PairsRows6,
	}
)

func tileWith(rows, columns []tileFunc) tileOf {
	return func(byColumns bool, r, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
		f := rows[r-1]
		if byColumns {
			f = columns[r-1]
		}
		f(k, &a[0], 4*lda, &b[0], 4*ldb, &c[0], 4*ldc, n, alpha, beta)
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
