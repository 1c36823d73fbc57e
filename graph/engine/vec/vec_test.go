package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func ExampleTaps() {
	// One output channel from one plane, a window of two neighbours, three places: a moving sum of two.
	x := make([]float32, 4*Lanes)
	for i := range x {
		x[i] = float32(i / Lanes) // all lanes alike: 0 1 2 3
	}
	y := make([]float32, 3*Lanes)
	window := NewWindow([]Tap{{0, 0}, {Lanes, Outputs}})
	weights := []float32{1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}
	Taps(1, y, 0, Lanes, x, 0, Lanes, &window, 1, 3, weights, 0, make([]float32, Outputs))
	fmt.Println(y[0], y[Lanes], y[2*Lanes])
	// Output: 1 3 5
}

var random = rand.New(rand.NewPCG(3, 4))

func numbers(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(random.NormFloat64())
	}
	return v
}

func same(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if math.IsNaN(w) && math.IsNaN(g) || g == w {
			continue
		}
		if !(math.Abs(g-w) <= tolerance*math.Max(1, math.Abs(w))) {
			t.Fatalf("%s: element %d: wanted %v, got %v", what, i, w, g)
		}
	}
}

// special are values at which comparisons and maxima are easily wrong.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}

// pairs holds every pair of special values, after some ordinary ones.
func pairs() (a, b []float32) {
	a, b = numbers(29), numbers(29)
	for _, x := range special {
		for _, y := range special {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

// TestElementwise compares the functions in use with the portable ones, to the last digits.
func TestElementwise(t *testing.T) {
	a, b := pairs()
	for _, c := range []struct {
		name       string
		fast, slow func(dst, a, b []float32)
	}{
		{"Add", Add, addGo}, {"Sub", Sub, subGo}, {"Mul", Mul, mulGo}, {"Div", Div, divGo}, {"Max", Max, maxGo}, {"Min", Min, minGo},
		{"Equal", Equal, equalGo}, {"Greater", Greater, greaterGo}, {"GreaterOrEqual", GreaterOrEqual, greaterOrEqualGo},
		{"Neg", one(Neg), one(negGo)}, {"Sqrt", one(Sqrt), one(sqrtGo)}, {"Relu", one(Relu), one(reluGo)},
		{"Round", one(Round), one(roundGo)},
		{"Erf", one(Erf), one(erfGo)}, {"Tanh", one(Tanh), one(tanhGo)}, {"Gelu", one(Gelu), one(geluGo)}, {"GeluSlope", one(GeluSlope), one(geluSlopeGo)},
		{"GeluBoth", one(bothGelu), one(geluGo)}, {"GeluBoth's slope", one(bothSlope), one(geluSlopeGo)},
		{"Where", where(Where), where(whereGo)},
		{"Affine", affine(Affine), affine(affineGo)},
	} {
		for n := 1; n <= len(a); n++ {
			got, want := make([]float32, n), make([]float32, n)
			c.fast(got, a, b)
			c.slow(want, a, b)
			same(t, fmt.Sprintf("%s of %d", c.name, n), got, want, 2.5e-7)
			place := append([]float32{}, a[:n]...)
			c.fast(place, place, b)
			same(t, fmt.Sprintf("%s in place of %d", c.name, n), place, want, 2.5e-7)
		}
	}
}

func one(f func(dst, a []float32)) func(dst, a, b []float32) {
	return func(dst, a, _ []float32) { f(dst, a) }
}

// bothGelu and bothSlope are what GeluBoth makes, the latter over its operand.
func bothGelu(dst, a []float32) { GeluBoth(dst, make([]float32, len(dst)), a) }

func bothSlope(dst, a []float32) { GeluBoth(make([]float32, len(dst)), dst, a) }

func where(f func(dst, cond, a, b []float32)) func(dst, a, b []float32) {
	return func(dst, a, b []float32) {
		cond := make([]float32, len(dst))
		for i := range cond {
			cond[i] = float32(i % 3 / 2)
		}
		f(dst, cond, a, b)
	}
}

func affine(f func(dst, a []float32, scale, shift float32)) func(dst, a, b []float32) {
	return func(dst, a, _ []float32) { f(dst, a, 1.5, -0.25) }
}

// sweep covers a range densely, and the special values.
func sweep(from, to, step float32) []float32 {
	var x []float32
	for v := from; v < to; v += step {
		x = append(x, v)
	}
	return append(x, special...)
}

// TestFunctions compares with package math: Exp to units in the last place over its whole range, subnormal results and
// infinity included, the others relative to the result.
func TestFunctions(t *testing.T) {
	for _, c := range []struct {
		name string
		x    []float32
		f    func(dst, a []float32)
		want func(float64) float64
		ulps float64
	}{
		{"Exp", sweep(-110, 95, 0.0137), Exp, math.Exp, 1.5},
		{"Erf", sweep(-6, 6, 0.0007), Erf, math.Erf, 3},
		{"Erf near 0", sweep(-1e-3, 1e-3, 1e-6), Erf, math.Erf, 3},
		{"Tanh", sweep(-12, 12, 0.0013), Tanh, math.Tanh, 3},
		{"Tanh near 0", sweep(-1e-3, 1e-3, 1e-6), Tanh, math.Tanh, 3},
	} {
		got := make([]float32, len(c.x))
		c.f(got, c.x)
		for i, v := range c.x {
			want := c.want(float64(v))
			w32 := float32(want)
			if math.IsNaN(want) && math.IsNaN(float64(got[i])) || got[i] == w32 {
				continue
			}
			size := float32(math.Abs(want))
			ulp := float64(math.Nextafter32(size, float32(math.Inf(1)))) - float64(size)
			if !(math.Abs(float64(got[i])-want) <= c.ulps*ulp) {
				t.Errorf("%s(%v): wanted %v, got %v", c.name, v, w32, got[i])
				break
			}
		}
	}
}

// TestGelu compares with package math, relative to the larger of 1 and the value.
func TestGelu(t *testing.T) {
	x := sweep(-12, 12, 0.0007)
	x = x[:len(x)-2] // 0·Inf is NaN
	y, slope := make([]float32, len(x)), make([]float32, len(x))
	GeluBoth(y, slope, x)
	for i, v := range x {
		w := float64(v)
		share := math.Erfc(-w/math.Sqrt2) / 2
		for _, c := range [][2]float64{{float64(y[i]), w * share}, {float64(slope[i]), share + w*math.Exp(-w*w/2)/math.Sqrt(2*math.Pi)}} {
			if d := math.Abs(c[0] - c[1]); !(d <= 2.5e-7*math.Max(1, math.Abs(c[1]))) && !math.IsNaN(c[1]) {
				t.Fatalf("at %v: wanted %v, got %v", v, c[1], c[0])
			}
		}
	}
}

func TestSum(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 31, 32, 33, 100, 1000, 12345} {
		v, want, size := numbers(n), 0.0, 0.0
		for _, x := range v {
			want += float64(x)
			size += math.Abs(float64(x))
		}
		for name, f := range map[string]func([]float32) float32{"Sum": Sum, "sumGo": sumGo} {
			if got := float64(f(v)); !(math.Abs(got-want) <= 1e-6*size) {
				t.Errorf("%s of %d: wanted %v, got %v", name, n, want, got)
			}
		}
		w, product := numbers(n), 0.0
		for i, x := range v {
			product += float64(x) * float64(w[i])
		}
		for name, f := range map[string]func(a, b []float32) float32{"Dot": Dot, "dotGo": dotGo} {
			if got := float64(f(v, w)); !(math.Abs(got-product) <= 1e-6*size) {
				t.Errorf("%s of %d: wanted %v, got %v", name, n, product, got)
			}
		}
	}
}

func TestTaps(t *testing.T) {
	taps := []Tap{{0, 0}, {Lanes, Outputs}, {5 * Lanes, 2 * Outputs}}
	const planes, n, xPlane, wPlane, yPlane = 3, 4, 20 * Lanes, 3 * Outputs, 10 * Lanes
	x, w, bias := numbers(planes*xPlane), numbers(planes*wPlane), numbers(Outputs)
	for outputs := 1; outputs <= Outputs; outputs++ {
		for _, xStep := range []int{Lanes, 2 * Lanes} {
			for _, count := range []int{0, 1, 3} {
				window := NewWindow(taps[:count])
				got, want := numbers(outputs*yPlane), make([]float32, outputs*yPlane)
				copy(want, got) // what lies between must stay
				Taps(outputs, got, yPlane, 2*Lanes, x, xPlane, xStep, &window, planes, n, w, wPlane, bias)
				tapsGo(outputs, want, yPlane, 2*Lanes, x, xPlane, xStep, &window, planes, n, w, wPlane, bias)
				same(t, fmt.Sprintf("%d outputs, step %d, %d taps", outputs, xStep, count), got, want, 1e-5)
			}
		}
	}
}

func TestCorrelate(t *testing.T) {
	x, dy := numbers(40*Lanes), numbers(60*Lanes)
	at := [CorrelateCols]int{0, Lanes, 3 * Lanes, 4 * Lanes}
	for _, size := range [][2]int{{1, 1}, {3, 4}, {2, 5}} {
		for _, xStep := range []int{Lanes, 2 * Lanes} {
			var got, want [CorrelateRows * CorrelateCols]float32
			copy(got[:], numbers(len(got)))
			want = got
			Correlate(&got, dy, 20*Lanes, 5*Lanes, x, &at, 10*Lanes, xStep, size[0], size[1])
			correlateGo(&want, dy, 20*Lanes, 5*Lanes, x, &at, 10*Lanes, xStep, size[0], size[1])
			same(t, fmt.Sprint(size, xStep), got[:], want[:], 1e-5)
		}
	}
}

func TestMaxTaps(t *testing.T) {
	taps := []int64{0, Lanes, 8 * Lanes, 9 * Lanes}
	x := make([]float32, 16*Lanes)
	for i := range x {
		x[i] = float32(random.IntN(3)) // many ties
	}
	x[Lanes+3] = float32(math.NaN())
	dy := numbers(4 * Lanes)
	for _, step := range []int{Lanes, 2 * Lanes} {
		got, want := make([]float32, 4*Lanes), make([]float32, 4*Lanes)
		MaxTaps(got, x, taps, step, 4)
		maxTapsGo(want, x, taps, step, 4)
		same(t, "MaxTaps", got, want, 0)
	}
	x[Lanes+3] = 1 // the gradient of a NaN is nobody's business
	for _, step := range []int{Lanes, 2 * Lanes} {
		got, want := numbers(len(x)), make([]float32, len(x))
		copy(want, got)
		MaxTapsGrad(got, x, dy, taps, step, 4)
		maxTapsGradGo(want, x, dy, taps, step, 4)
		same(t, "MaxTapsGrad", got, want, 0)
	}
}

func TestHalve(t *testing.T) {
	src := numbers(64)
	for n := range 33 {
		got, want := make([]float32, n), make([]float32, n)
		Halve(got, src[:max(0, 2*n-1)])
		halveGo(want, src)
		same(t, fmt.Sprintf("halve %d", n), got, want, 0)
	}
}

func TestInterleave(t *testing.T) {
	for _, lanes := range []int{1, 5, Lanes} {
		for _, n := range []int{1, 7, 8, 21} {
			src := numbers(Lanes * 30)
			got, want := numbers(n*Lanes), make([]float32, n*Lanes)
			Interleave(got, src, 30, n, lanes)
			interleaveGo(want, src, 30, n, lanes)
			same(t, fmt.Sprintf("interleave %d of %d lanes", n, lanes), got, want, 0)
			back := make([]float32, len(src))
			Separate(back, 30, got, n, lanes)
			for l := range lanes {
				same(t, fmt.Sprintf("separate %d of %d lanes", n, lanes), back[l*30:l*30+n], src[l*30:l*30+n], 0)
			}
		}
	}
}

// TestWrongPlansPanic moves one place of a window after the other out of its slice, in every function that takes places:
// none may read or write beyond.
func TestWrongPlansPanic(t *testing.T) {
	const n, places = 3, 4
	x, y, w, bias := numbers(8*Lanes), numbers(Outputs*n*Lanes), numbers(places*Outputs), numbers(Outputs)
	panics := func(what string, f func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", what)
			}
		}()
		f()
	}
	for i := range places {
		for _, bad := range []int64{-1, 7 * Lanes} {
			sources, offsets := make([]Tap, places), make([]int64, places)
			for j := range sources {
				sources[j] = Tap{0, int64(j * Outputs)}
			}
			sources[i].X, offsets[i] = bad, bad
			at := [CorrelateCols]int{}
			at[i] = int(bad)
			name := fmt.Sprintf("place %d at %d", i, bad)
			window := NewWindow(sources)
			panics("Taps, "+name, func() { Taps(Outputs, y, n*Lanes, Lanes, x, 0, Lanes, &window, 1, n, w, 0, bias) })
			panics("MaxTaps, "+name, func() { MaxTaps(y, x, offsets, Lanes, n) })
			panics("MaxTapsGrad, "+name, func() { MaxTapsGrad(x, numbers(100*Lanes), y, offsets, Lanes, n) })
			panics("MaxTapsGrad of dx, "+name, func() { MaxTapsGrad(numbers(100*Lanes), x, y, offsets, Lanes, n) })
			panics("Correlate, "+name, func() {
				Correlate(new([CorrelateRows * CorrelateCols]float32), y, n*Lanes, 0, x, &at, 0, Lanes, 1, n)
			})
			sources[i] = Tap{0, bad}
			window = NewWindow(sources)
			panics("Taps of weights, "+name, func() { Taps(Outputs, y, n*Lanes, Lanes, x, 0, Lanes, &window, 1, n, w, 0, bias) })
		}
	}
	panics("bias", func() { Taps(1, y, 0, Lanes, x, 0, Lanes, &Window{taps: []Tap{{}}}, 1, n, w, 0, bias[:1]) })
}

// TestExpSum compares values with Exp, and the sum with that of float64.
func TestExpSum(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 64, 197} {
		a := sweep(-4, 4, 8/float32(n))[:n]
		got, want := make([]float32, n), make([]float32, n)
		sum := ExpSum(got, a, 0.75, -1.5)
		expSumGo(want, a, 0.75, -1.5)
		same(t, fmt.Sprintf("ExpSum of %d", n), got, want, 2.5e-7)
		total := 0.0
		for _, x := range a {
			total += math.Exp(float64(0.75*x - 1.5))
		}
		if d := float64(sum)/total - 1; !(math.Abs(d) < 1e-6) {
			t.Errorf("the sum of %d is %v, want %v", n, sum, total)
		}
	}
	if s := ExpSum(make([]float32, 9), []float32{0, 0, 0, 0, 0, 0, 0, 0, float32(math.NaN())}, 1, 0); s == s {
		t.Errorf("a sum with NaN is %v", s)
	}
}

func TestLargest(t *testing.T) {
	for n := range 100 {
		a := make([]float32, n)
		for i := range a {
			a[i] = float32(i*37%101) - 200
		}
		if got, want := Largest(a), largestGo(a); got != want {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
	a := make([]float32, 70)
	a[3], a[69], a[40] = float32(math.NaN()), float32(math.NaN()), 2
	if got := Largest(a); got != 2 {
		t.Errorf("beside NaN: %v, want 2", got)
	}
}

// Every float16 there is, at every place of a vector; the portable function is x448/float16's.
func TestWiden(t *testing.T) {
	src := make([]byte, 2*(1<<16+3))
	for i := range 1<<16 + 3 {
		src[2*i], src[2*i+1] = byte(i), byte(i>>8)
	}
	for skip := range 3 {
		got, want := make([]float32, 1<<16), make([]float32, 1<<16)
		Widen(got, src[2*skip:])
		widenGo(want, src[2*skip:])
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) && !math.IsNaN(float64(want[i])) {
				t.Fatalf("float16 %#x: wanted %v, got %v", i+skip, want[i], got[i])
			}
		}
	}
}
