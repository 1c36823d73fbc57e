// Package vec holds the engine's inner loops on float32 slices: element-wise functions, sums, the loops of
// convolution over interleaved images, and the reading of float16. On amd64 with AVX2 and FMA they are assembly written with avo (folder gen),
// elsewhere portable Go; both are tested against each other.
//
// Functions of several slices work on len(dst) elements and panic, like any index out of range, if another slice is
// shorter. dst may be one of the operands.
package vec

//go:generate go run -tags avo ./gen -out kernels_amd64.s -stubs kernels_amd64.go -pkg vec

// Lanes is the number of images interleaved in a block: the elements of one place of all of them are neighbours.
const Lanes = 16

// Outputs is the number of output channels that [Taps] computes at once.
const Outputs = 6

// CorrelateRows and CorrelateCols are the sides of the tile of dot products that [Correlate] computes at once.
const (
	CorrelateRows = 3
	CorrelateCols = 4
)

// Tap is one place of a convolution's window: offsets, in elements, of its input and of its weights.
type Tap struct{ X, W int64 }

// Window is a convolution's places, and the bounds of their offsets, which [Taps] checks each time.
type Window struct {
	taps      []Tap
	low, high Tap
}

// NewWindow keeps taps, which must not change.
func NewWindow(taps []Tap) Window {
	w := Window{taps: taps}
	for i, t := range taps {
		if i == 0 {
			w.low, w.high = t, t
		}
		w.low = Tap{min(w.low.X, t.X), min(w.low.W, t.W)}
		w.high = Tap{max(w.high.X, t.X), max(w.high.W, t.W)}
	}
	return w
}

// The functions in use. (Exp, Sum, Dot and Correlate, whose callers pass arrays of the stack, are functions proper: through a
// variable those would move to the heap.)
var (
	// Add is dst = a+b.
	Add = addGo
	// Sub is dst = a-b.
	Sub = subGo
	// Mul is dst = a·b.
	Mul = mulGo
	// Div is dst = a/b.
	Div = divGo
	// Neg is dst = -a.
	Neg = negGo
	// Sqrt is dst = √a.
	Sqrt = sqrtGo
	// Relu is dst = max(a, 0); NaN stays.
	Relu = reluGo
	// Round is dst = a rounded to the nearest whole number, of two the even one.
	Round = roundGo
	// Equal is 1 where a == b, else 0.
	Equal = equalGo
	// Greater is 1 where a > b, else 0.
	Greater = greaterGo
	// GreaterOrEqual is 1 where a >= b, else 0.
	GreaterOrEqual = greaterOrEqualGo
	// Where is a where cond is not 0, else b.
	Where = whereGo
	// Max is the greater of a and b; a NaN in either stays.
	Max = maxGo
	// Min is the smaller of a and b; a NaN in either stays.
	Min = minGo
	// Affine is dst = a·scale + shift.
	Affine = affineGo
	// Erf is the error function, to 2e-7.
	Erf = erfGo
	// Gelu is the exact GELU, x·((erf(x·√½)+1)·½), to 2e-7.
	Gelu = geluGo
	// GeluSlope is its derivative.
	GeluSlope = geluSlopeGo
	// GeluBoth makes Gelu and its derivative, which costs little more than either.
	GeluBoth = geluBothGo
	// Tanh is the hyperbolic tangent, to 2e-7.
	Tanh = tanhGo
	// Taps computes n neighbouring places, of Lanes elements each, of up to Outputs channels of a convolution:
	//
	//	y[o·yPlane + p·yStep] = bias[o] + Σ over c<planes and taps t of the window of w[c·wPlane + t.W + o] · x[c·xPlane + p·xStep + t.X]
	//
	// for o<outputs and p<n. Planes of w and bias hold Outputs numbers a tap, whatever outputs is.
	Taps = tapsGo
	// MaxTaps is max pooling of n neighbouring windows: y[p·Lanes] = max over taps t of x[p·xStep + t].
	MaxTaps = maxTapsGo
	// MaxTapsGrad adds dy[p·Lanes] to dx[p·xStep + t] for the first tap t at which x is largest.
	MaxTapsGrad = maxTapsGradGo
	// Halve is every second element: dst[i] = src[2i].
	Halve = halveGo
	// Interleave reads n elements of each of the given number of images, stride apart in src, into dst [n,Lanes];
	// missing lanes become 0.
	Interleave = interleaveGo
	// Separate is the reverse of Interleave.
	Separate = separateGo
	// Widen is dst = the float16 numbers, little-endian, whose 2·len(dst) bytes src begins with.
	Widen = widenGo
)

// Exp is dst = eᵃ, to about one unit in the last place.
func Exp(dst, a []float32) {
	if fast {
		expAsm(dst, a)
	} else {
		expGo(dst, a)
	}
}

// ExpSum is dst = e^(a·scale+shift), like Exp, and returns its sum.
func ExpSum(dst, a []float32, scale, shift float32) float32 {
	if fast {
		return expSumAsm(dst, a, scale, shift)
	}
	return expSumGo(dst, a, scale, shift)
}

// Largest is the maximum of a, -Inf of none; NaN is passed over.
func Largest(a []float32) float32 {
	if fast {
		return largestAsm(a)
	}
	return largestGo(a)
}

// Sum adds up a, in columns, so that long sums lose little.
func Sum(a []float32) float32 {
	if fast {
		return sumAsm(a)
	}
	return sumGo(a)
}

// Dot is Σ a·b over len(a) elements, added up like Sum.
func Dot(a, b []float32) float32 {
	if fast {
		return dotAsm(a, b)
	}
	return dotGo(a, b)
}

// Correlate adds to out[i][j], i<CorrelateRows, j<CorrelateCols, the dot products over a rectangle of places of Lanes
// elements: Σ over r<rows, c<cols of dy[i·dyPlane + r·dyRow + c·Lanes] · x[at[j] + r·xRow + c·xStep].
func Correlate(out *[CorrelateRows * CorrelateCols]float32, dy []float32, dyPlane, dyRow int, x []float32, at *[CorrelateCols]int, xRow, xStep, rows, cols int) {
	if fast {
		correlateAsm(out, dy, dyPlane, dyRow, x, at, xRow, xStep, rows, cols)
	} else {
		correlateGo(out, dy, dyPlane, dyRow, x, at, xRow, xStep, rows, cols)
	}
}
