//go:build avo

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one instruction set: how wide a vector is and how many accumulators
// its registers hold beside the operands. 12×32 in AVX-512 uses 24 of 32
// registers for sums, 6×16 in AVX2 12 of 16.
type isa struct {
	name    string
	rows    int // of the largest tile
	lanes   int // float32 in a vector
	dotCols int // columns of the largest dot block, which has four rows
	vector  func() reg.VecVirtual
}

var (
	avx512 = isa{"AVX512", 12, 16, 4, ZMM}
	avx2   = isa{"AVX2", 6, 8, 3, YMM}
)

func (s isa) bytes() int { return 4 * s.lanes }

// zero clears v. The EVEX form is needed for registers 16 to 31.
func (s isa) zero(v reg.VecVirtual) {
	if s.lanes == 16 {
		VPXORD(v, v, v)
		return
	}
	VXORPS(v, v, v)
}

func (s isa) zeros(n int) []reg.VecVirtual {
	vs := make([]reg.VecVirtual, n)
	for i := range vs {
		vs[i] = s.vector()
		s.zero(vs[i])
	}
	return vs
}

// loop emits body(0..unroll-1) for count/unroll rounds followed by step(unroll),
// then the remainder one at a time. count is consumed.
func loop(label string, count reg.GPVirtual, unroll int, body func(u int), step func(n int)) {
	Label(label)
	CMPQ(count, U32(uint32(unroll)))
	JLT(LabelRef(label + "rest"))
	for u := 0; u < unroll; u++ {
		body(u)
	}
	step(unroll)
	SUBQ(U32(uint32(unroll)), count)
	JMP(LabelRef(label))
	Label(label + "rest")
	if unroll == 1 {
		return
	}
	TESTQ(count, count)
	JLE(LabelRef(label + "done"))
	body(0)
	step(1)
	DECQ(count)
	JMP(LabelRef(label + "rest"))
	Label(label + "done")
}
