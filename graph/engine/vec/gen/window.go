//go:build avo

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// taps emits the convolution of r outputs. All steps are in bytes; n, planes and count are at least 1.
func taps(r int) {
	TEXT(fmt.Sprintf("taps%dAVX2", r), NOSPLIT, "func(y *float32, yPlane, yStep int, x *float32, xPlane, xStep int, taps *int64, count, planes, n int, w *float32, wPlane int, bias *float32)")
	Pragma("noescape")
	y, x, n := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	xPlane, wPlane, bias := Load(Param("xPlane"), GP64()), Load(Param("wPlane"), GP64()), Load(Param("bias"), GP64())
	Label("place")
	acc := make([][halves]reg.VecVirtual, r)
	for o := range acc {
		acc[o][0], acc[o][1] = YMM(), YMM()
		VBROADCASTSS(Mem{Base: bias, Disp: 4 * o}, acc[o][0])
		VMOVAPS(acc[o][0], acc[o][1])
	}
	xc, wc, planes := GP64(), GP64(), GP64()
	MOVQ(x, xc)
	Load(Param("w"), wc)
	Load(Param("planes"), planes)
	Label("plane")
	tap, count, ox, ow := GP64(), GP64(), GP64(), GP64()
	Load(Param("taps"), tap)
	Load(Param("count"), count)
	Label("tap")
	MOVQ(Mem{Base: tap}, ox)
	MOVQ(Mem{Base: tap, Disp: 8}, ow)
	ADDQ(U32(16), tap)
	b := [halves]reg.VecVirtual{YMM(), YMM()}
	for h := range b {
		VMOVUPS(Mem{Base: xc, Index: ox, Scale: 4, Disp: 32 * h}, b[h])
	}
	for o := range acc {
		f := YMM()
		VBROADCASTSS(Mem{Base: wc, Index: ow, Scale: 4, Disp: 4 * o}, f)
		for h := range b {
			VFMADD231PS(b[h], f, acc[o][h])
		}
	}
	DECQ(count)
	JNZ(LabelRef("tap"))
	ADDQ(xPlane, xc)
	ADDQ(wPlane, wc)
	DECQ(planes)
	JNZ(LabelRef("plane"))
	out, step := GP64(), GP64()
	MOVQ(y, out)
	Load(Param("yPlane"), step)
	for o := range acc {
		for h := range b {
			VMOVUPS(acc[o][h], Mem{Base: out, Disp: 32 * h})
		}
		if o < r-1 {
			ADDQ(step, out)
		}
	}
	ADDQ(NewParamAddr("yStep", 16), y)
	ADDQ(NewParamAddr("xStep", 40), x)
	DECQ(n)
	JNZ(LabelRef("place"))
	VZEROUPPER()
	RET()
}

// halve emits dst = every second element of src, n vectors of eight.
func halve() {
	TEXT("halveAVX2", NOSPLIT, "func(n int, dst *float32, src *float32)")
	Pragma("noescape")
	n, dst, src := Load(Param("n"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	Label("eight")
	v := YMM()
	VMOVUPS(Mem{Base: src}, v)
	VSHUFPS(U8(0x88), Mem{Base: src, Disp: 32}, v, v) // 0 2 8 10 4 6 12 14
	VPERMPD(U8(0xd8), v, v)
	VMOVUPS(v, Mem{Base: dst})
	ADDQ(U32(64), src)
	ADDQ(U32(32), dst)
	DECQ(n)
	JNZ(LabelRef("eight"))
	VZEROUPPER()
	RET()
}

// The tile of dot products that correlate keeps in registers.
const rowTile, colTile = 3, 4

// correlate emits the tile of 3×4 dot products over a rectangle. All steps are in bytes, at in elements; rows and cols
// are at least 1.
func correlate() {
	TEXT("correlateAVX2", NOSPLIT, "func(out *float32, dy *float32, dyPlane, dyRow int, x *float32, at *int, xRow, xStep, rows, cols int)")
	Pragma("noescape")
	dyRow, xRow := Load(Param("dy"), GP64()), Load(Param("x"), GP64())
	plane, xStep, rows := Load(Param("dyPlane"), GP64()), Load(Param("xStep"), GP64()), Load(Param("rows"), GP64())
	at := Load(Param("at"), GP64())
	var off [colTile]reg.GPVirtual
	for j := range off {
		off[j] = GP64()
		MOVQ(Mem{Base: at, Disp: 8 * j}, off[j])
	}
	var acc [rowTile][colTile]reg.VecVirtual
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = YMM()
			VXORPS(acc[i][j], acc[i][j], acc[i][j])
		}
	}
	Label("row")
	d, x, cols := GP64(), GP64(), GP64()
	MOVQ(dyRow, d)
	MOVQ(xRow, x)
	Load(Param("cols"), cols)
	Label("col")
	addProducts(&acc, d, plane, x, &off)
	ADDQ(U32(64), d)
	ADDQ(xStep, x)
	DECQ(cols)
	JNZ(LabelRef("col"))
	ADDQ(NewParamAddr("dyRow", 24), dyRow)
	ADDQ(NewParamAddr("xRow", 48), xRow)
	DECQ(rows)
	JNZ(LabelRef("row"))
	out := Load(Param("out"), GP64())
	for i := range acc {
		for j := range acc[i] {
			s := horizontal(acc[i][j])
			m := Mem{Base: out, Disp: 4 * (i*colTile + j)}
			VADDSS(m, s, s)
			VMOVSS(s, m)
		}
	}
	VZEROUPPER()
	RET()
}

// addProducts adds one place's lanes to the tile: d and its two planes on, times x at the four offsets.
func addProducts(acc *[rowTile][colTile]reg.VecVirtual, d, plane, x reg.Register, off *[colTile]reg.GPVirtual) {
	for h := range halves {
		var v [rowTile]reg.VecVirtual
		for i := range v {
			v[i] = YMM()
			m := Mem{Base: d, Disp: 32 * h}
			if i > 0 {
				m.Index, m.Scale = plane, uint8(i)
			}
			VMOVUPS(m, v[i])
		}
		for j := range off {
			u := YMM()
			VMOVUPS(Mem{Base: x, Index: off[j], Scale: 4, Disp: 32 * h}, u)
			for i := range v {
				VFMADD231PS(u, v[i], acc[i][j])
			}
		}
	}
}

// maxTaps emits max pooling. xStep is in bytes; n and count are at least 1.
func maxTaps() {
	TEXT("maxTapsAVX2", NOSPLIT, "func(y, x *float32, taps *int64, count, xStep, n int)")
	Pragma("noescape")
	y, x, n := Load(Param("y"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	taps, xStep := Load(Param("taps"), GP64()), Load(Param("xStep"), GP64())
	Label("place")
	m := largest(x, taps)
	for h := range m {
		VMOVUPS(m[h], Mem{Base: y, Disp: 32 * h})
	}
	ADDQ(U32(64), y)
	ADDQ(xStep, x)
	DECQ(n)
	JNZ(LabelRef("place"))
	VZEROUPPER()
	RET()
}

// largest is the maximum of a window over all its taps.
func largest(x, taps reg.Register) (m [halves]reg.VecVirtual) {
	tap, count, off := GP64(), GP64(), GP64()
	MOVQ(taps, tap)
	Load(Param("count"), count)
	MOVQ(Mem{Base: tap}, off)
	for h := range m {
		m[h] = YMM()
		VMOVUPS(Mem{Base: x, Index: off, Scale: 4, Disp: 32 * h}, m[h])
	}
	Label("largest")
	MOVQ(Mem{Base: tap}, off)
	ADDQ(U32(8), tap)
	for h := range m {
		v := keepNaN(maximum, m[h], Mem{Base: x, Index: off, Scale: 4, Disp: 32 * h})
		VMOVAPS(v, m[h])
	}
	DECQ(count)
	JNZ(LabelRef("largest"))
	return m
}

// maxTapsGrad emits the gradient of max pooling: a lane's gradient goes to the first tap that equals the maximum.
func maxTapsGrad() {
	TEXT("maxTapsGradAVX2", NOSPLIT, "func(dx, x, dy *float32, taps *int64, count, xStep, n int)")
	Pragma("noescape")
	dx, x, dy, n := Load(Param("dx"), GP64()), Load(Param("x"), GP64()), Load(Param("dy"), GP64()), Load(Param("n"), GP64())
	taps, xStep := Load(Param("taps"), GP64()), Load(Param("xStep"), GP64())
	Label("place")
	m := largest(x, taps)
	var d [halves]reg.VecVirtual
	for h := range d {
		d[h] = YMM()
		VMOVUPS(Mem{Base: dy, Disp: 32 * h}, d[h])
	}
	tap, count, off := GP64(), GP64(), GP64()
	MOVQ(taps, tap)
	Load(Param("count"), count)
	Label("tap")
	MOVQ(Mem{Base: tap}, off)
	ADDQ(U32(8), tap)
	for h := range d {
		at := Mem{Base: x, Index: off, Scale: 4, Disp: 32 * h}
		to := Mem{Base: dx, Index: off, Scale: 4, Disp: 32 * h}
		hit, given := YMM(), YMM()
		VCMPPS(U8(0), at, m[h], hit)
		VANDPS(d[h], hit, given)
		VADDPS(to, given, given)
		VMOVUPS(given, to)
		VANDNPS(d[h], hit, d[h]) // given once
	}
	DECQ(count)
	JNZ(LabelRef("tap"))
	ADDQ(U32(64), dy)
	ADDQ(xStep, x)
	ADDQ(xStep, dx)
	DECQ(n)
	JNZ(LabelRef("place"))
	VZEROUPPER()
	RET()
}
