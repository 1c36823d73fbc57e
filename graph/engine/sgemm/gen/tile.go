//go:build avo

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// sum says what a tile adds up.
type sum string

const (
	floats sum = "Rows"  // float32
	pairs  sum = "Pairs" // int16, two in the place of each float32, in int32
)

// tile emits C = alpha·A·B + beta·C for a block of `rows` rows and two vectors
// of columns, of which the first n are written. Strides are in bytes. B's rows
// must be readable over the full two vectors.
func tile(s isa, rows int, of sum) {
	TEXT(fmt.Sprintf("tile%s%s%d", s.name, of, rows), NOSPLIT,
		"func(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, n int, alpha, beta float32)")
	Pragma("noescape")
	k := Load(Param("k"), GP64()).(reg.GPVirtual)
	left := leftOperand(rows)
	b, ldb := Load(Param("b"), GP64()), Load(Param("ldb"), GP64())
	sums := s.zeros(2 * rows)
	b0, b1 := s.vector(), s.vector()
	loop("k", k, 4, func(u int) {
		VMOVUPS(Mem{Base: b}, b0)
		VMOVUPS(Mem{Base: b, Disp: s.bytes()}, b1)
		for i := range rows {
			s.addRow(of, left.at(i, u), b0, b1, sums[2*i], sums[2*i+1])
		}
		ADDQ(ldb, b)
	}, left.step)
	if of != floats {
		for _, v := range sums {
			VCVTDQ2PS(v, v)
		}
	}
	finish(s, rows, sums)
}

// addRow adds an element of A times two vectors of B.
func (s isa) addRow(of sum, a Mem, b0, b1, sum0, sum1 reg.VecVirtual) {
	ai := s.vector()
	switch of {
	case floats:
		VBROADCASTSS(a, ai)
		VFMADD231PS(ai, b0, sum0)
		VFMADD231PS(ai, b1, sum1)
	case pairs:
		VPBROADCASTD(a, ai)
		product := s.vector()
		s.add(sum0, b0, ai, product)
		s.add(sum1, b1, ai, ai)
	}
}

// add adds the sums of two products of int16 each, by way of a vector.
func (s isa) add(sum, a, b, by reg.VecVirtual) {
	VPMADDWD(a, b, by)
	VPADDD(by, sum, sum)
}

// left is the left operand: the address of element (i, p+u), and the advance of p.
type left struct {
	at   func(i, u int) Mem
	step func(n int)
}

func leftOperand(rows int) left {
	a, lda := Load(Param("a"), GP64()), Load(Param("lda"), GP64())
	// One pointer for every three rows: x86 adds an index times 1 or 2 for free.
	bases := []reg.Register{a}
	for i := 3; i < rows; i += 3 {
		p := GP64()
		LEAQ(Mem{Base: bases[len(bases)-1], Index: lda, Scale: 2}, p)
		ADDQ(lda, p)
		bases = append(bases, p)
	}
	at := func(i, u int) Mem {
		m := Mem{Base: bases[i/3], Disp: 4 * u}
		if i%3 > 0 {
			m.Index, m.Scale = lda, uint8(i%3)
		}
		return m
	}
	step := func(n int) {
		for _, p := range bases {
			ADDQ(U32(uint32(4*n)), p)
		}
	}
	return left{at, step}
}

// finish scales the sums and adds them to C. beta 0 never reads C, so a NaN
// there is forgotten.
func finish(s isa, rows int, sums []reg.VecVirtual) {
	alpha, beta := s.vector(), s.vector()
	alphaParam, _ := Param("alpha").Resolve()
	betaParam, _ := Param("beta").Resolve()
	VBROADCASTSS(alphaParam.Addr, alpha)
	VBROADCASTSS(betaParam.Addr, beta)
	for _, v := range sums {
		VMULPS(alpha, v, v)
	}
	c, ldc := Load(Param("c"), GP64()), Load(Param("ldc"), GP64())
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	bits := GP32()
	betaBits, _ := Param("beta").Resolve()
	MOVL(betaBits.Addr, bits)
	ADDL(bits, bits) // drops the sign: both zeros count as zero
	if s.lanes == 16 {
		store512(rows, sums, c, ldc, n, bits, beta)
		return
	}
	store256(rows, sums, c, ldc, n, bits, beta)
}

// store512 writes through masks, so a narrow tile costs the same as a full one.
func store512(rows int, sums []reg.VecVirtual, c, ldc reg.Register, n reg.GPVirtual, betaBits, beta reg.Register) {
	masks := columnMasks(n)
	TESTL(betaBits, betaBits)
	JEQ(LabelRef("plain"))
	for _, label := range []string{"add", "plain"} {
		Label(label)
		for i := range rows {
			for v, mask := range masks {
				m := Mem{Base: c, Disp: 64 * v}
				if label == "add" {
					old := ZMM()
					VMOVUPS_Z(m, mask, old)
					VFMADD231PS(old, beta, sums[2*i+v])
				}
				VMOVUPS(sums[2*i+v], mask, m)
			}
			ADDQ(ldc, c)
		}
		VZEROUPPER()
		RET()
	}
}

// columnMasks are the lowest n of 32 bits, in two halves.
func columnMasks(n reg.GPVirtual) []reg.OpmaskVirtual {
	MOVQ(n, reg.RCX)
	bits := GP64()
	MOVQ(U32(1), bits)
	SHLQ(reg.CL, bits)
	DECQ(bits)
	low, high := K(), K()
	KMOVW(bits.As32(), low)
	SHRQ(U8(16), bits)
	KMOVW(bits.As32(), high)
	return []reg.OpmaskVirtual{low, high}
}

// store256 writes full tiles directly. A narrow tile goes column by column
// through memory of its own: AMD's masked stores are slower than that.
func store256(rows int, sums []reg.VecVirtual, c, ldc reg.Register, n reg.GPVirtual, betaBits, beta reg.Register) {
	CMPQ(n, U32(16))
	JLT(LabelRef("narrow"))
	TESTL(betaBits, betaBits)
	JEQ(LabelRef("plain"))
	for _, label := range []string{"add", "plain"} {
		Label(label)
		for i := range rows {
			for v := range 2 {
				m := Mem{Base: c, Disp: 32 * v}
				if label == "add" {
					VFMADD231PS(m, beta, sums[2*i+v])
				}
				VMOVUPS(sums[2*i+v], m)
			}
			ADDQ(ldc, c)
		}
		VZEROUPPER()
		RET()
	}
	Label("narrow")
	row := AllocLocal(64)
	for i := range rows {
		VMOVUPS(sums[2*i], row)
		VMOVUPS(sums[2*i+1], row.Offset(32))
		narrowRow(fmt.Sprintf("row%d", i), row, c, n, betaBits, beta)
		ADDQ(ldc, c)
	}
	VZEROUPPER()
	RET()
}

func narrowRow(label string, row Mem, c reg.Register, n reg.GPVirtual, betaBits, beta reg.Register) {
	j, p := GP64(), GP64()
	XORQ(j, j)
	LEAQ(row, p)
	Label(label)
	v := XMM()
	VMOVSS(Mem{Base: p, Index: j, Scale: 4}, v)
	TESTL(betaBits, betaBits)
	JEQ(LabelRef(label + "plain"))
	VFMADD231SS(Mem{Base: c, Index: j, Scale: 4}, beta.(reg.VecVirtual).AsX(), v)
	Label(label + "plain")
	VMOVSS(v, Mem{Base: c, Index: j, Scale: 4})
	INCQ(j)
	CMPQ(j, n)
	JLT(LabelRef(label))
}
