package vec

import (
	"math"

	"github.com/x448/float16"
)

func addGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func subGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mulGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func divGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func negGo(dst, a []float32) {
	for i := range dst {
		dst[i] = -a[i]
	}
}

func roundGo(dst, a []float32) {
	for i := range dst {
		dst[i] = float32(math.RoundToEven(float64(a[i])))
	}
}

func sqrtGo(dst, a []float32) {
	for i := range dst {
		dst[i] = float32(math.Sqrt(float64(a[i])))
	}
}

// reluGo keeps NaN, so that it is found where it arises.
func reluGo(dst, a []float32) {
	for i, x := range a[:len(dst)] {
		if x < 0 {
			x = 0
		}
		dst[i] = x
	}
}

func equalGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = truth(a[i] == b[i])
	}
}

func greaterGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = truth(a[i] > b[i])
	}
}

func greaterOrEqualGo(dst, a, b []float32) {
	for i := range dst {
		dst[i] = truth(a[i] >= b[i])
	}
}

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func whereGo(dst, cond, a, b []float32) {
	for i := range dst {
		if cond[i] != 0 {
			dst[i] = a[i]
		} else {
			dst[i] = b[i]
		}
	}
}

func expGo(dst, a []float32) {
	for i := range dst {
		dst[i] = float32(math.Exp(float64(a[i])))
	}
}

func erfGo(dst, a []float32) {
	for i := range dst {
		dst[i] = float32(math.Erf(float64(a[i])))
	}
}

func tanhGo(dst, a []float32) {
	for i := range dst {
		dst[i] = float32(math.Tanh(float64(a[i])))
	}
}

// sumGo adds in eight columns, as the vector kernel does, so that long sums lose little.
func sumGo(a []float32) float32 {
	var s [8]float32
	for ; len(a) >= 8; a = a[8:] {
		for j := range s {
			s[j] += a[j]
		}
	}
	for j, x := range a {
		s[j] += x
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

func dotGo(a, b []float32) float32 {
	var s [8]float32
	b = b[:len(a)]
	for i, x := range a {
		s[i%8] += x * b[i]
	}
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

func affineGo(dst, a []float32, scale, shift float32) {
	for i := range dst {
		dst[i] = a[i]*scale + shift
	}
}

func tapsGo(outputs int, y []float32, yPlane, yStep int, x []float32, xPlane, xStep int, window *Window, planes, n int, w []float32, wPlane int, bias []float32) {
	for p := range n {
		for o := range outputs {
			var acc [Lanes]float32
			for l := range acc {
				acc[l] = bias[o]
			}
			for c := range planes {
				for _, t := range window.taps {
					f := w[c*wPlane+int(t.W)+o]
					for l, v := range x[c*xPlane+p*xStep+int(t.X):][:Lanes] {
						acc[l] += f * v
					}
				}
			}
			copy(y[o*yPlane+p*yStep:][:Lanes], acc[:])
		}
	}
}

func maxTapsGo(y, x []float32, taps []int64, xStep, n int) {
	for p := range n {
		dst := y[p*Lanes:][:Lanes]
		copy(dst, x[p*xStep+int(taps[0]):])
		for _, t := range taps[1:] {
			maxGo(dst, x[p*xStep+int(t):], dst)
		}
	}
}

func maxTapsGradGo(dx, x, dy []float32, taps []int64, xStep, n int) {
	for p := range n {
		for l, d := range dy[p*Lanes:][:Lanes] {
			first := p*xStep + int(taps[0]) + l
			for _, t := range taps[1:] {
				if at := p*xStep + int(t) + l; x[at] > x[first] {
					first = at
				}
			}
			dx[first] += d
		}
	}
}

func correlateGo(out *[CorrelateRows * CorrelateCols]float32, dy []float32, dyPlane, dyRow int, x []float32, at *[CorrelateCols]int, xRow, xStep, rows, cols int) {
	for r := range rows {
		for c := range cols {
			for i := range CorrelateRows {
				d := dy[i*dyPlane+r*dyRow+c*Lanes:][:Lanes]
				for j := range CorrelateCols {
					v := x[at[j]+r*xRow+c*xStep:][:Lanes]
					var s float32
					for l := range d {
						s += d[l] * v[l]
					}
					out[i*CorrelateCols+j] += s
				}
			}
		}
	}
}

func halveGo(dst, src []float32) {
	for i := range dst {
		dst[i] = src[2*i]
	}
}

func interleaveGo(dst, src []float32, stride, n, lanes int) {
	for i := range n {
		row := dst[i*Lanes:][:Lanes]
		for l := range lanes {
			row[l] = src[l*stride+i]
		}
		clear(row[lanes:])
	}
}

func separateGo(dst []float32, stride int, src []float32, n, lanes int) {
	for i := range n {
		for l := range lanes {
			dst[l*stride+i] = src[i*Lanes+l]
		}
	}
}

func minGo(dst, a, b []float32) {
	for i := range dst {
		if x := a[i]; x < b[i] || x != x {
			dst[i] = x
		} else {
			dst[i] = b[i]
		}
	}
}

func maxGo(dst, a, b []float32) {
	for i := range dst {
		if x := a[i]; x > b[i] || x != x {
			dst[i] = x
		} else {
			dst[i] = b[i]
		}
	}
}

func geluGo(dst, a []float32) {
	for i, x := range a[:len(dst)] {
		dst[i] = x * ((float32(math.Erf(float64(x*(math.Sqrt2/2)))) + 1) * 0.5)
	}
}

func geluSlopeGo(dst, a []float32) {
	for i, x := range a[:len(dst)] {
		cumulative := (float32(math.Erf(float64(x*(math.Sqrt2/2)))) + 1) * 0.5
		dst[i] = cumulative + x*(float32(math.Exp(float64(x*x*-0.5)))*float32(1/math.Sqrt(2*math.Pi)))
	}
}

// geluBothGo may write over a.
func geluBothGo(dst, slope, a []float32) {
	for i := range dst {
		x := [1]float32{a[i]}
		geluGo(dst[i:i+1], x[:])
		geluSlopeGo(slope[i:i+1], x[:])
	}
}

func expSumGo(dst, a []float32, scale, shift float32) float32 {
	affineGo(dst, a, scale, shift)
	expGo(dst, dst)
	return sumGo(dst)
}

func largestGo(a []float32) float32 {
	best := float32(math.Inf(-1))
	for _, x := range a {
		if x > best {
			best = x
		}
	}
	return best
}

func widenGo(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float16.Frombits(uint16(src[2*i]) | uint16(src[2*i+1])<<8).Float32()
	}
}
