//go:build avo

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// widen emits float16 to float32 of n numbers, n a multiple of 8.
func widen() {
	TEXT("widenAVX2", NOSPLIT, "func(n int, dst *float32, src *byte)")
	Pragma("noescape")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	i := GP64()
	XORQ(i, i)
	Label("next")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	v := YMM()
	VCVTPH2PS(Mem{Base: src, Index: i, Scale: 2}, v)
	VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4})
	ADDQ(U32(8), i)
	JMP(LabelRef("next"))
	Label("done")
	VZEROUPPER()
	RET()
}
