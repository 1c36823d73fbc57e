//go:build !amd64

package vec

const fast = false

func expAsm(dst, a []float32) { expGo(dst, a) }

func sumAsm(a []float32) float32 { return sumGo(a) }

func dotAsm(a, b []float32) float32 { return dotGo(a, b) }

func correlateAsm(out *[CorrelateRows * CorrelateCols]float32, dy []float32, dyPlane, dyRow int, x []float32, at *[CorrelateCols]int, xRow, xStep, rows, cols int) {
	correlateGo(out, dy, dyPlane, dyRow, x, at, xRow, xStep, rows, cols)
}

func expSumAsm(dst, a []float32, scale, shift float32) float32 { return expSumGo(dst, a, scale, shift) }

func largestAsm(a []float32) float32 { return largestGo(a) }
