//go:build avo

package main

import (
	"fmt"
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// overVectors emits a loop over n elements, n a multiple of 8, of the pointers named; body gets one vector's places.
func overVectors(name, extra string, pointers []string, setup func(), body func(at func(pointer string) Mem)) {
	signature := "func(n int"
	for _, p := range pointers {
		signature += ", " + p + " *float32"
	}
	TEXT(name+"AVX2", NOSPLIT, signature+extra+")")
	Pragma("noescape")
	base := map[string]reg.Register{}
	for _, p := range pointers {
		base[p] = Load(Param(p), GP64())
	}
	n := Load(Param("n"), GP64())
	if setup != nil {
		setup()
	}
	i := GP64()
	XORQ(i, i)
	Label("next")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	body(func(p string) Mem { return Mem{Base: base[p], Index: i, Scale: 4} })
	ADDQ(U32(8), i)
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}

// constant puts a float32 into all places of a vector.
func constant(v float32) reg.VecVirtual { return bits(math.Float32bits(v)) }

func bits(b uint32) reg.VecVirtual {
	g, y := GP32(), YMM()
	MOVL(U32(b), g)
	x := XMM()
	VMOVD(g, x)
	VPBROADCASTD(x, y)
	return y
}

// two emits dst = a∘b for an instruction with a memory operand.
func two(name string, instruction func(...Op)) {
	overVectors(name, "", []string{"dst", "a", "b"}, nil, func(at func(string) Mem) {
		v := YMM()
		VMOVUPS(at("a"), v)
		instruction(at("b"), v, v)
		VMOVUPS(v, at("dst"))
	})
}

// single emits what takes one operand and one instruction.
func single() {
	var c reg.VecVirtual
	overVectors("neg", "", []string{"dst", "a"}, func() { c = bits(1 << 31) }, func(at func(string) Mem) {
		v := YMM()
		VXORPS(at("a"), c, v)
		VMOVUPS(v, at("dst"))
	})
	overVectors("sqrt", "", []string{"dst", "a"}, nil, func(at func(string) Mem) {
		v := YMM()
		VSQRTPS(at("a"), v)
		VMOVUPS(v, at("dst"))
	})
	overVectors("round", "", []string{"dst", "a"}, nil, func(at func(string) Mem) {
		v := YMM()
		VROUNDPS(U8(8), at("a"), v) // to the nearest, of two the even one, and no exception
		VMOVUPS(v, at("dst"))
	})
}

func elementwise() {
	two("add", func(o ...Op) { VADDPS(o[0], o[1], o[2]) })
	two("sub", func(o ...Op) { VSUBPS(o[0], o[1], o[2]) })
	two("mul", func(o ...Op) { VMULPS(o[0], o[1], o[2]) })
	two("div", func(o ...Op) { VDIVPS(o[0], o[1], o[2]) })
	var c reg.VecVirtual
	for _, cmp := range []struct {
		name string
		code U8
	}{{"equal", 0x00}, {"greater", 0x1e}, {"greaterOrEqual", 0x1d}} {
		overVectors(cmp.name, "", []string{"dst", "a", "b"}, func() { c = constant(1) }, func(at func(string) Mem) {
			v := YMM()
			VMOVUPS(at("a"), v)
			VCMPPS(cmp.code, at("b"), v, v)
			VANDPS(c, v, v)
			VMOVUPS(v, at("dst"))
		})
	}
	single()
	// The instruction's second source wins where an operand is NaN.
	overVectors("relu", "", []string{"dst", "a"}, func() { c = constant(0) }, func(at func(string) Mem) {
		v := YMM()
		VMAXPS(at("a"), c, v)
		VMOVUPS(v, at("dst"))
	})
	overVectors("where", "", []string{"dst", "cond", "a", "b"}, func() { c = constant(0) }, func(at func(string) Mem) {
		mask, v := YMM(), YMM()
		VCMPPS(U8(4), at("cond"), c, mask)
		VMOVUPS(at("b"), v)
		VBLENDVPS(mask, at("a"), v, v)
		VMOVUPS(v, at("dst"))
	})
	bounded := func(name string, instruction func(...Op)) {
		overVectors(name, "", []string{"dst", "a", "b"}, nil, func(at func(string) Mem) {
			a := YMM()
			VMOVUPS(at("a"), a)
			VMOVUPS(keepNaN(instruction, a, at("b")), at("dst"))
		})
	}
	bounded("max", maximum)
	bounded("min", func(o ...Op) { VMINPS(o[0], o[1], o[2]) })
	var scale, shift reg.VecVirtual
	overVectors("affine", ", scale, shift float32", []string{"dst", "a"}, func() {
		scale, shift = broadcast("scale"), broadcast("shift")
	}, func(at func(string) Mem) {
		v := YMM()
		VMOVUPS(at("a"), v)
		VFMADD213PS(shift, scale, v)
		VMOVUPS(v, at("dst"))
	})
}

// give stores a result in AVX's way too.
func give(x reg.VecVirtual) {
	r, err := ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	VMOVSS(x, r.Addr)
}

// broadcast reads with AVX's own instruction: after the older MOVSS the first of AVX waited 100 ns and more.
func broadcast(param string) reg.VecVirtual {
	y := YMM()
	p, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, y)
	return y
}

func maximum(o ...Op) { VMAXPS(o[0], o[1], o[2]) }

// keepNaN is the maximum or minimum of a and b, NaN if either is.
func keepNaN(instruction func(...Op), a reg.VecVirtual, b Op) reg.VecVirtual {
	m, nan := YMM(), YMM()
	instruction(b, a, m) // b where either is NaN
	VCMPPS(U8(3), a, a, nan)
	VBLENDVPS(nan, a, m, m)
	return m
}

// exponential emits eˣ.
func exponential() {
	overVectors("exp", "", []string{"dst", "a"}, nil, func(at func(string) Mem) {
		x := YMM()
		VMOVUPS(at("a"), x)
		VMOVUPS(exp(x), at("dst"))
	})
}

// exp is eˣ after Cephes' expf: x = k·ln2 + r with |r| ≤ ln2/2, a polynomial for eʳ, and 2ᵏ by way of the exponent's
// bits, in two steps so that subnormal results and infinity come out. The second source of a minimum or maximum wins
// where an operand is NaN, so NaN stays. x is overwritten.
func exp(x reg.VecVirtual) reg.VecVirtual {
	c := spread("expHigh", 89)
	VMINPS(x, c, x)
	VMAXPS(x, spread("expLow", -105), x)
	k := spread("expLog2e", 1.44269504088896341)
	VMULPS(x, k, k)
	VROUNDPS(U8(0), k, k)
	VFNMADD231PS(spread("expLn2High", 0.693359375), k, x)
	VFNMADD231PS(spread("expLn2Low", -2.12194440e-4), k, x)
	p := polynomial("exp", x, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	square := YMM()
	VMULPS(x, x, square)
	VFMADD213PS(x, square, p)
	one := spread("one", 1)
	VADDPS(one, p, p)
	ki, half := YMM(), YMM()
	VCVTPS2DQ(k, ki)
	VPSRAD(U8(1), ki, half)
	VPSUBD(half, ki, ki)
	for _, e := range []reg.VecVirtual{half, ki} {
		VPSLLD(U8(23), e, e)
		VPADDD(one, e, e)
		VMULPS(e, p, p)
	}
	return p
}

// polynomial evaluates coefficients, highest power first, by Horner's rule.
func polynomial(name string, x reg.VecVirtual, coefficients ...float32) reg.VecVirtual {
	p := spread(name+"C0", coefficients[0])
	for i, v := range coefficients[1:] {
		VFMADD213PS(spread(fmt.Sprintf("%sC%d", name, i+1), v), x, p)
	}
	return p
}

// magnitude splits x into |x| and its sign bit.
func magnitude(x reg.VecVirtual) (abs, sign reg.VecVirtual) {
	abs, sign = YMM(), YMM()
	VANDPS(spread("signBit", float32(math.Copysign(0, -1))), x, sign)
	VXORPS(sign, x, abs)
	return abs, sign
}

// errorFunction emits erf: below 1 Cephes' polynomial x·T(x²), above 1 - erfc(|x|) with erfc by Numerical Recipes'
// Chebyshev fit t·exp(-x² + P(t)), t = 1/(1+|x|/2), whose relative error is 1.2e-7.
func errorFunction() {
	overVectors("erf", "", []string{"dst", "a"}, nil, func(at func(string) Mem) {
		x := YMM()
		VMOVUPS(at("a"), x)
		VMOVUPS(erf(x), at("dst"))
	})
}

func erf(x reg.VecVirtual) reg.VecVirtual {
	abs, sign := magnitude(x)
	t := YMM()
	one := spread("one", 1)
	VMOVAPS(abs, t)
	VFMADD132PS(spread("half", 0.5), one, t)
	VDIVPS(t, one, t)
	p := polynomial("erfc", t, 0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223)
	VFNMADD231PS(abs, abs, p)
	e := exp(p)
	VFNMADD213PS(spread("one", 1), t, e) // 1 - t·e
	VORPS(sign, e, e)
	square := YMM()
	VMULPS(x, x, square)
	small := polynomial("erf", square, 7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2, 1.128358514861418e-1, -3.761262582423300e-1, 1.128379165726710)
	VMULPS(x, small, small)
	return choose(abs, 1, small, e)
}

// cumulative is Φ(x), the share of the normal distribution below x, and exp(-x²/2): beyond |x| lies t·Q(t)·exp(-x²/2) with
// t = 1/(1+0.46·|x|/√2), Q fitted by scripts/fit_normal.py.
func cumulative(x reg.VecVirtual) (share, bell reg.VecVirtual) {
	t, bell := YMM(), YMM()
	abs, _ := magnitude(x)
	one := spread("one", 1)
	VMOVAPS(abs, t)
	VFMADD132PS(spread("tailP", 0.46*math.Sqrt2/2), one, t)
	VDIVPS(t, one, t)
	tail := polynomial("tail", t, 0.04547459378721416, -0.22924208374913232, 0.36509885703008566, -0.12233731926843582, 0.19668013945501658, 0.11311797857303227, 0.13120782828020272)
	VMULPS(t, tail, tail)
	VMULPS(x, x, bell)
	VMULPS(spread("minusHalf", -0.5), bell, bell)
	bell = exp(bell)
	VMULPS(bell, tail, tail)
	share = spread("one", 1)
	VSUBPS(tail, share, share)
	VBLENDVPS(x, tail, share, share) // by its sign
	return share, bell
}

// gelu emits x·Φ(x), its derivative Φ(x) + x·φ(x), and both.
func gelu() {
	for _, pointers := range [][]string{{"dst", "a"}, {"slope", "a"}, {"dst", "slope", "a"}} {
		name := map[string]string{"dst a": "gelu", "slope a": "geluSlope", "dst slope a": "geluBoth"}[strings.Join(pointers, " ")]
		overVectors(name, "", pointers, nil, func(at func(string) Mem) {
			x := YMM()
			VMOVUPS(at("a"), x)
			share, bell := cumulative(x)
			if pointers[0] == "dst" {
				y := YMM()
				VMULPS(x, share, y)
				VMOVUPS(y, at("dst"))
			}
			if name != "gelu" {
				VMULPS(spread("rootPi", float32(1/math.Sqrt(2*math.Pi))), bell, bell)
				VFMADD231PS(x, bell, share)
				VMOVUPS(share, at("slope"))
			}
		})
	}
}

// expSum emits e^(a·scale+shift), and returns its sum.
func expSum() {
	TEXT("expSumAVX2", NOSPLIT, "func(n int, dst, a *float32, scale, shift float32) float32")
	Pragma("noescape")
	n, dst, a := Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("a"), GP64())
	scale, shift, sum := YMM(), YMM(), YMM()
	VBROADCASTSS(NewParamAddr("scale", 24), scale)
	VBROADCASTSS(NewParamAddr("shift", 28), shift)
	VXORPS(sum, sum, sum)
	i := GP64()
	XORQ(i, i)
	Label("next")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	x := YMM()
	VMOVUPS(Mem{Base: a, Index: i, Scale: 4}, x)
	VFMADD213PS(shift, scale, x)
	e := exp(x)
	VADDPS(e, sum, sum)
	VMOVUPS(e, Mem{Base: dst, Index: i, Scale: 4})
	ADDQ(U32(8), i)
	JMP(LabelRef("next"))
	Label("done")
	give(horizontal(sum))
	VZEROUPPER()
	RET()
}

// largestOf emits the maximum of n elements, n a multiple of 32; NaN among them is passed over.
func largestOf() {
	columns("largest", "a *float32", func(at func(string, int) Mem, s reg.VecVirtual, j int) {
		v := YMM()
		VMOVUPS(at("a", j), v)
		VMAXPS(s, v, s)
	})
}

// hyperbolicTangent emits tanh: below 0.625 Cephes' x + x³·P(x²), above 1 - 2/(exp(2|x|)+1).
func hyperbolicTangent() {
	overVectors("tanh", "", []string{"dst", "a"}, nil, func(at func(string) Mem) {
		x := YMM()
		VMOVUPS(at("a"), x)
		abs, sign := magnitude(x)
		double := YMM()
		VADDPS(abs, abs, double)
		e := exp(double)
		one := spread("one", 1)
		VADDPS(one, e, e)
		VDIVPS(e, spread("two", 2), e)
		VSUBPS(e, one, e)
		VORPS(sign, e, e)
		square := YMM()
		VMULPS(x, x, square)
		small := polynomial("tanh", square, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
		VMULPS(square, small, small)
		VFMADD213PS(x, x, small)
		VMOVUPS(choose(abs, 0.625, small, e), at("dst"))
	})
}

// choose is small where abs is below limit, else large.
func choose(abs reg.VecVirtual, limit float32, small, large reg.VecVirtual) reg.VecVirtual {
	mask := spread(fmt.Sprintf("limit%d", int(limit*1000)), limit)
	VCMPPS(U8(0x1e), abs, mask, mask) // limit > abs
	VBLENDVPS(mask, small, large, large)
	return large
}

// spread puts a named constant into all places of a vector.
func spread(name string, v float32) reg.VecVirtual {
	y := YMM()
	VBROADCASTSS(float(name, v), y)
	return y
}

var floats = map[string]Mem{}

// float is a constant in the assembly's data.
func float(name string, v float32) Mem {
	if m, ok := floats[name]; ok {
		return m
	}
	m := GLOBL(name, RODATA|NOPTR)
	DATA(0, U32(math.Float32bits(v))) // as bits: a whole F32 would be written as an integer
	floats[name] = m
	return m
}

// sums emits the sum of n elements, or of n products, in 32 columns; n is a multiple of 32.
func sums() {
	columns("sum", "a *float32", func(at func(string, int) Mem, s reg.VecVirtual, j int) { VADDPS(at("a", j), s, s) })
	columns("dot", "a, b *float32", func(at func(string, int) Mem, s reg.VecVirtual, j int) {
		v := YMM()
		VMOVUPS(at("a", j), v)
		VFMADD231PS(at("b", j), v, s)
	})
}

func columns(name, pointers string, add func(at func(p string, j int) Mem, s reg.VecVirtual, j int)) {
	TEXT(name+"AVX2", NOSPLIT, "func(n int, "+pointers+") float32")
	Pragma("noescape")
	n, a := Load(Param("n"), GP64()), Load(Param("a"), GP64())
	base := map[string]reg.Register{"a": a}
	if name == "dot" {
		base["b"] = Load(Param("b"), GP64())
	}
	var s [4]reg.VecVirtual
	for i := range s {
		if s[i] = YMM(); name == "largest" {
			VBROADCASTSS(float("lowest", float32(math.Inf(-1))), s[i])
		} else {
			VXORPS(s[i], s[i], s[i])
		}
	}
	i := GP64()
	XORQ(i, i)
	Label("next")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	for j := range s {
		add(func(p string, j int) Mem { return Mem{Base: base[p], Index: i, Scale: 4, Disp: 32 * j} }, s[j], j)
	}
	ADDQ(U32(32), i)
	JMP(LabelRef("next"))
	Label("done")
	join := VADDPS
	if name == "largest" {
		join = VMAXPS
	}
	join(s[1], s[0], s[0])
	join(s[3], s[2], s[2])
	join(s[2], s[0], s[0])
	across := horizontal
	if name == "largest" {
		across = horizontalMax
	}
	x := across(s[0])
	give(x)
	VZEROUPPER()
	RET()
}

// horizontal adds a vector's eight elements.
func horizontal(y reg.VecVirtual) reg.VecVirtual {
	high := XMM()
	VEXTRACTF128(U8(1), y, high)
	low := y.AsX()
	x := XMM()
	VADDPS(high, low, x)
	VHADDPS(x, x, x)
	VHADDPS(x, x, x)
	return x
}

// horizontalMax is the largest of a vector's eight elements.
func horizontalMax(y reg.VecVirtual) reg.VecVirtual {
	high, x := XMM(), XMM()
	VEXTRACTF128(U8(1), y, high)
	VMAXPS(high, y.AsX(), x)
	VPERMILPS(U8(0x4e), x, high)
	VMAXPS(high, x, x)
	VPERMILPS(U8(0xb1), x, high)
	VMAXPS(high, x, x)
	return x
}
