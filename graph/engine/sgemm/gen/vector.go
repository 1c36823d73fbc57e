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
