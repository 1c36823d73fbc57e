//go:build avo

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

// narrow emits dst = int16(src) of whole numbers, n at a time in units of 16.
func narrow() {
	TEXT("narrowAVX2", NOSPLIT, "func(n int, dst, src *float32)")
	Pragma("noescape")
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	Label("next")
	CMPQ(n, U32(16))
	JLT(LabelRef("done"))
	low, high := YMM(), YMM()
	VCVTPS2DQ(Mem{Base: src}, low)
	VCVTPS2DQ(Mem{Base: src, Disp: 32}, high)
	VPACKSSDW(high, low, low) // of each half: what is of low, then of high
	VPERMQ(U8(0b11011000), low, low)
	VMOVDQU(low, Mem{Base: dst})
	ADDQ(U32(64), src)
	ADDQ(U32(32), dst)
	SUBQ(U32(16), n)
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}
