//go:build avo

package main

import (
	"math"

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

// narrow emits dst = int16(src) of whole numbers, n at a time in units of 16, and tells in a bit whether one is NaN or more
// than 255, either sign.
func narrow() {
	TEXT("narrowAVX2", NOSPLIT, "func(n int, dst, src *float32) int32")
	Pragma("noescape")
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	spread := func(name string, bits uint32) reg.VecVirtual {
		v := YMM()
		at := GLOBL(name, RODATA|NOPTR)
		DATA(0, U32(bits))
		VBROADCASTSS(at, v)
		return v
	}
	magnitude, limit, beyond := spread("magnitude", 1<<31-1), spread("limit", math.Float32bits(255)), YMM()
	VXORPS(beyond, beyond, beyond)
	Label("next")
	CMPQ(n, U32(16))
	JLT(LabelRef("done"))
	var halves [2]reg.VecVirtual
	for i := range halves {
		halves[i] = YMM()
		size := YMM()
		VMOVUPS(Mem{Base: src, Disp: 32 * i}, halves[i])
		VANDPS(magnitude, halves[i], size)
		VCMPPS(U8(0x16), limit, size, size) // not at most
		VORPS(size, beyond, beyond)
		VCVTPS2DQ(halves[i], halves[i])
	}
	low, high := halves[0], halves[1]
	VPACKSSDW(high, low, low) // of each half: what is of low, then of high
	VPERMQ(U8(0b11011000), low, low)
	VMOVDQU(low, Mem{Base: dst})
	ADDQ(U32(64), src)
	ADDQ(U32(32), dst)
	SUBQ(U32(16), n)
	JMP(LabelRef("next"))
	Label("done")
	found := GP32()
	VMOVMSKPS(beyond, found)
	Store(found, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
