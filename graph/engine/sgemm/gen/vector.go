//go:build avo

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose8 emits the transposition of an 8×8 block: the usual three rounds of
// interleaving pairs, quads and halves. Strides are in bytes.
func transpose8() {
	TEXT("transpose8AVX2", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int)")
	Pragma("noescape")
	src, lds := Load(Param("src"), GP64()), Load(Param("lds"), GP64())
	var r [8]reg.VecVirtual
	for i := range r {
		r[i] = YMM()
		VMOVUPS(Mem{Base: src}, r[i])
		ADDQ(lds, src)
	}
	var t [8]reg.VecVirtual
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for h := range 2 {
			r[i+2*h], r[i+2*h+1] = YMM(), YMM()
			VSHUFPS(U8(0x44), t[i+2+h], t[i+h], r[i+2*h])
			VSHUFPS(U8(0xEE), t[i+2+h], t[i+h], r[i+2*h+1])
		}
	}
	dst, ldd := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64())
	for half := range 2 {
		for i := range 4 {
			out := YMM()
			VPERM2F128(U8(0x20+0x11*half), r[4+i], r[i], out)
			VMOVUPS(out, Mem{Base: dst})
			ADDQ(ldd, dst)
		}
	}
	VZEROUPPER()
	RET()
}

// standardize emits dst = (src − mean)·scale over n elements, n a multiple of
// the vector's lanes.
func standardize(s isa) {
	TEXT("standardize"+s.name, NOSPLIT, "func(n int, dst, src, mean, scale *float32)")
	Pragma("noescape")
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	mean, scale := Load(Param("mean"), GP64()), Load(Param("scale"), GP64())
	i := GP64()
	XORQ(i, i)
	Label("next")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	v := s.vector()
	VMOVUPS(Mem{Base: src, Index: i, Scale: 4}, v)
	VSUBPS(Mem{Base: mean, Index: i, Scale: 4}, v, v)
	VMULPS(Mem{Base: scale, Index: i, Scale: 4}, v, v)
	VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4})
	ADDQ(U32(uint32(s.lanes)), i)
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}
