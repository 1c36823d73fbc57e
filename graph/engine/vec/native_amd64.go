package vec

import (
	"slices"

	"golang.org/x/sys/cpu"
)

// fast tells whether the assembly is in use.
var fast bool

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		useAVX2()
	}
}

// useAVX2 puts the assembly in the portable functions' place.
func useAVX2() {
	fast = true
	Add, Sub = binary(addAVX2, addGo), binary(subAVX2, subGo)
	Mul, Div = binary(mulAVX2, mulGo), binary(divAVX2, divGo)
	Max, Min = binary(maxAVX2, maxGo), binary(minAVX2, minGo)
	Equal, Greater = binary(equalAVX2, equalGo), binary(greaterAVX2, greaterGo)
	GreaterOrEqual = binary(greaterOrEqualAVX2, greaterOrEqualGo)
	Neg, Sqrt, Relu = unary(negAVX2, negGo), unary(sqrtAVX2, sqrtGo), unary(reluAVX2, reluGo)
	Round = unary(roundAVX2, roundGo)
	Erf, Tanh, Gelu = unary(erfAVX2, erfGo), unary(tanhAVX2, tanhGo), unary(geluAVX2, geluGo)
	GeluSlope, GeluBoth = unary(geluSlopeAVX2, geluSlopeGo), geluBothAsm
	Where, Affine = whereAsm, affineAsm
	Taps = tapsAsm
	MaxTaps, MaxTapsGrad = maxTapsAsm, maxTapsGradAsm
	Halve = halveAsm
	Interleave, Separate = interleaveAsm, separateAsm
	Widen = widenAsm // by F16C, which every processor with AVX2 has
}

// width is the number of float32 in a vector.
const width = 8

// binary runs the assembly on whole vectors and the portable function on the rest.
func binary(asm func(n int, dst, a, b *float32), rest func(dst, a, b []float32)) func(dst, a, b []float32) {
	return func(dst, a, b []float32) {
		a, b = a[:len(dst)], b[:len(dst)]
		whole := len(dst) &^ (width - 1)
		if whole > 0 {
			asm(whole, &dst[0], &a[0], &b[0])
		}
		if whole < len(dst) {
			rest(dst[whole:], a[whole:], b[whole:])
		}
	}
}

func unary(asm func(n int, dst, a *float32), rest func(dst, a []float32)) func(dst, a []float32) {
	return func(dst, a []float32) {
		a = a[:len(dst)]
		whole := len(dst) &^ (width - 1)
		if whole > 0 {
			asm(whole, &dst[0], &a[0])
		}
		if whole < len(dst) {
			rest(dst[whole:], a[whole:])
		}
	}
}

func whereAsm(dst, cond, a, b []float32) {
	cond, a, b = cond[:len(dst)], a[:len(dst)], b[:len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		whereAVX2(whole, &dst[0], &cond[0], &a[0], &b[0])
	}
	whereGo(dst[whole:], cond[whole:], a[whole:], b[whole:])
}

func affineAsm(dst, a []float32, scale, shift float32) {
	a = a[:len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		affineAVX2(whole, &dst[0], &a[0], scale, shift)
	}
	affineGo(dst[whole:], a[whole:], scale, shift)
}

func geluBothAsm(dst, slope, a []float32) {
	slope, a = slope[:len(dst)], a[:len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		geluBothAVX2(whole, &dst[0], &slope[0], &a[0])
	}
	geluBothGo(dst[whole:], slope[whole:], a[whole:])
}

func widenAsm(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		widenAVX2(whole, &dst[0], &src[0])
	}
	widenGo(dst[whole:], src[2*whole:])
}

// expAsm gives the rest the same bits as whole vectors, so that where rows are cut does not matter.
func expAsm(dst, a []float32) {
	a = a[:len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		expAVX2(whole, &dst[0], &a[0])
	}
	if whole < len(dst) {
		var rest [width]float32
		n := copy(rest[:], a[whole:])
		expAVX2(width, &rest[0], &rest[0])
		copy(dst[whole:], rest[:n])
	}
}

func sumAsm(a []float32) float32 {
	whole := len(a) &^ (4*width - 1)
	if whole == 0 {
		return sumGo(a)
	}
	s := sumAVX2(whole, &a[0])
	if whole < len(a) {
		s += sumGo(a[whole:])
	}
	return s
}

func dotAsm(a, b []float32) float32 {
	b = b[:len(a)]
	whole := len(a) &^ (4*width - 1)
	if whole == 0 {
		return dotGo(a, b)
	}
	s := dotAVX2(whole, &a[0], &b[0])
	if whole < len(a) {
		s += dotGo(a[whole:], b[whole:])
	}
	return s
}

// inside panics unless v has the elements from…end-1, so that a wrong plan ends here and not in foreign memory.
func inside(v []float32, from, end int) { _, _ = v[from], v[end-1] }

var tapsByOutputs = [Outputs]func(y *float32, yPlane, yStep int, x *float32, xPlane, xStep int, taps *int64, count, planes, n int, w *float32, wPlane int, bias *float32){
	taps1AVX2, taps2AVX2, taps3AVX2, taps4AVX2, taps5AVX2, taps6AVX2,
}

func tapsAsm(outputs int, y []float32, yPlane, yStep int, x []float32, xPlane, xStep int, window *Window, planes, n int, w []float32, wPlane int, bias []float32) {
	taps := window.taps
	if len(taps) == 0 || planes == 0 || n == 0 {
		untapped(outputs, y, yPlane, yStep, n, bias)
		return
	}
	inside(y, 0, (outputs-1)*yPlane+(n-1)*yStep+Lanes)
	inside(x, int(window.low.X), (planes-1)*xPlane+(n-1)*xStep+int(window.high.X)+Lanes)
	inside(w, int(window.low.W), (planes-1)*wPlane+int(window.high.W)+Outputs)
	inside(bias, 0, Outputs)
	tapsByOutputs[outputs-1](&y[0], 4*yPlane, 4*yStep, &x[0], 4*xPlane, 4*xStep, &taps[0].X, len(taps), planes, n, &w[0], 4*wPlane, &bias[0])
}

// untapped is Taps where the window reaches nothing, as between the pixels that a stride skips.
func untapped(outputs int, y []float32, yPlane, yStep, n int, bias []float32) {
	for o := range outputs {
		var v [Lanes]float32
		for l := range v {
			v[l] = bias[o]
		}
		for p := range n {
			*(*[Lanes]float32)(y[o*yPlane+p*yStep:]) = v
		}
	}
}

func correlateAsm(out *[CorrelateRows * CorrelateCols]float32, dy []float32, dyPlane, dyRow int, x []float32, at *[CorrelateCols]int, xRow, xStep, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	inside(dy, 0, (CorrelateRows-1)*dyPlane+(rows-1)*dyRow+cols*Lanes)
	inside(x, min(at[0], at[1], at[2], at[3]), max(at[0], at[1], at[2], at[3])+(rows-1)*xRow+(cols-1)*xStep+Lanes)
	correlateAVX2(&out[0], &dy[0], 4*dyPlane, 4*dyRow, &x[0], &at[0], 4*xRow, 4*xStep, rows, cols)
}

func halveAsm(dst, src []float32) {
	whole := min(len(dst), len(src)/2) &^ (width - 1)
	if whole > 0 {
		halveAVX2(whole/width, &dst[0], &src[0])
	}
	halveGo(dst[whole:], src[2*whole:])
}

func maxTapsAsm(y, x []float32, taps []int64, xStep, n int) {
	low, high := slices.Min(taps), slices.Max(taps)
	inside(y, 0, n*Lanes)
	inside(x, int(low), (n-1)*xStep+int(high)+Lanes)
	maxTapsAVX2(&y[0], &x[0], &taps[0], len(taps), 4*xStep, n)
}

func maxTapsGradAsm(dx, x, dy []float32, taps []int64, xStep, n int) {
	low, end := int(slices.Min(taps)), (n-1)*xStep+int(slices.Max(taps))+Lanes
	inside(dx, low, end)
	inside(x, low, end)
	inside(dy, 0, n*Lanes)
	maxTapsGradAVX2(&dx[0], &x[0], &dy[0], &taps[0], len(taps), 4*xStep, n)
}

func interleaveAsm(dst, src []float32, stride, n, lanes int) {
	whole := 0
	if lanes == Lanes && n >= width {
		whole = n &^ (width - 1)
		_, _ = dst[whole*Lanes-1], src[(Lanes-1)*stride+whole-1]
		for i := 0; i < whole; i += width {
			for l := 0; l < Lanes; l += width {
				transpose8AVX2(&dst[i*Lanes+l], 4*Lanes, &src[l*stride+i], 4*stride)
			}
		}
	}
	if whole < n {
		interleaveGo(dst[whole*Lanes:], src[whole:], stride, n-whole, lanes)
	}
}

func separateAsm(dst []float32, stride int, src []float32, n, lanes int) {
	whole := 0
	if lanes == Lanes && n >= width {
		whole = n &^ (width - 1)
		_, _ = src[whole*Lanes-1], dst[(Lanes-1)*stride+whole-1]
		for i := 0; i < whole; i += width {
			for l := 0; l < Lanes; l += width {
				transpose8AVX2(&dst[l*stride+i], 4*stride, &src[i*Lanes+l], 4*Lanes)
			}
		}
	}
	if whole < n {
		separateGo(dst[whole:], stride, src[whole*Lanes:], n-whole, lanes)
	}
}

// expSumAsm gives the rest the same bits as whole vectors.
func expSumAsm(dst, a []float32, scale, shift float32) (sum float32) {
	a = a[:len(dst)]
	whole := len(dst) &^ (width - 1)
	if whole > 0 {
		sum = expSumAVX2(whole, &dst[0], &a[0], scale, shift)
	}
	if whole < len(dst) {
		var rest [width]float32
		n := copy(rest[:], a[whole:])
		expSumAVX2(width, &rest[0], &rest[0], scale, shift)
		copy(dst[whole:], rest[:n])
		sum += sumGo(rest[:n])
	}
	return sum
}

func largestAsm(a []float32) float32 {
	whole := len(a) &^ (4*width - 1)
	best := largestGo(a[whole:])
	if whole > 0 {
		best = max(best, largestAVX2(whole, &a[0]))
	}
	return best
}
