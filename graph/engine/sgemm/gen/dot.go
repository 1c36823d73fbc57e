//go:build avo

package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dot emits the sums over p < k of a[i,p]·b[j,p] for four rows of a and `cols`
// rows of b into out[4·cols]. k must be a multiple of the vector's lanes;
// strides are in bytes.
func dot(s isa, cols int) {
	TEXT(fmt.Sprintf("dot%s%d", s.name, cols), NOSPLIT,
		"func(k int, a *float32, lda int, b *float32, ldb int, out *float32)")
	Pragma("noescape")
	k := Load(Param("k"), GP64()).(reg.GPVirtual)
	a, b := rowPointers("a", "lda"), rowPointers("b", "ldb")
	sums := s.zeros(4 * cols)
	SHRQ(U8(uint8(bits.TrailingZeros(uint(s.lanes)))), k)
	loop("k", k, 1, func(int) {
		bs := make([]reg.VecVirtual, cols)
		for j := range bs {
			bs[j] = s.vector()
			VMOVUPS(b.at(j), bs[j])
		}
		for i := range 4 {
			ai := s.vector()
			VMOVUPS(a.at(i), ai)
			for j := range bs {
				VFMADD231PS(ai, bs[j], sums[cols*i+j])
			}
		}
	}, func(int) {
		ADDQ(U32(uint32(s.bytes())), a.base)
		ADDQ(U32(uint32(s.bytes())), a.third)
		ADDQ(U32(uint32(s.bytes())), b.base)
		ADDQ(U32(uint32(s.bytes())), b.third)
	})
	out := Load(Param("out"), GP64())
	for i, v := range sums {
		VMOVSS(sumLanes(s, v), Mem{Base: out, Disp: 4 * i})
	}
	VZEROUPPER()
	RET()
}

type pointers struct{ base, third, stride reg.Register }

// rowPointers addresses four rows: base, base+stride, base+2·stride and third.
func rowPointers(base, stride string) pointers {
	p := pointers{Load(Param(base), GP64()), GP64(), Load(Param(stride), GP64())}
	LEAQ(Mem{Base: p.base, Index: p.stride, Scale: 2}, p.third)
	ADDQ(p.stride, p.third)
	return p
}

func (p pointers) at(i int) Mem {
	switch i {
	case 0:
		return Mem{Base: p.base}
	case 3:
		return Mem{Base: p.third}
	}
	return Mem{Base: p.base, Index: p.stride, Scale: uint8(i)}
}

// sumLanes adds all lanes of v, pairwise.
func sumLanes(s isa, v reg.VecVirtual) reg.Register {
	y, x, t := v.AsY(), XMM(), XMM()
	if s.lanes == 16 {
		y = YMM()
		VEXTRACTF64X4(U8(1), v, y)
		VADDPS(v.AsY(), y, y)
		VEXTRACTF32X4(U8(1), y, x)
	} else {
		VEXTRACTF128(U8(1), y, x)
	}
	VADDPS(y.(reg.Vec).AsX(), x, x)
	VSHUFPS(U8(0b1110), x, x, t)
	VADDPS(t, x, x)
	VSHUFPS(U8(0b0001), x, x, t)
	VADDSS(t, x, x)
	return x
}
