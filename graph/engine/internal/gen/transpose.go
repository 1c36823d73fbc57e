//go:build avo

// Package gen emits the assembly that several kernel packages have.
package gen

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Transpose8 emits the transposition of an 8×8 block: the usual three rounds of
// interleaving pairs, quads and halves. Strides are in bytes.
func Transpose8() {
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
