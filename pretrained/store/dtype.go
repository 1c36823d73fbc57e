package store

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"

	"graft/graph/engine/vec"
)

// DType is how values are stored.
type DType string

// The types that a store can have. Float16 halves the space and rounds to 11
// significant bits.
const (
	Float32 DType = "float32"
	Float16 DType = "float16"
)

// maxFloat16 is the largest finite half: (2 − 2⁻¹⁰)·2¹⁵. Values up to half a
// step above it round to it.
const (
	maxFloat16       = 65504
	roundsToInfinity = 65520
)

func (d DType) valid() bool { return d == Float32 || d == Float16 }

// size is the number of bytes of one value.
func (d DType) size() int { return map[DType]int{Float16: 2, Float32: 4}[d] }

// appendRow appends the little-endian bytes of x. NaN, infinities and values
// beyond the type's range are an error: they would poison whatever is trained on them.
func (d DType) appendRow(dst []byte, x []float32) ([]byte, error) {
	if d == Float32 {
		if err := checkFinite(x); err != nil {
			return dst, err
		}
		for _, v := range x {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
		}
		return dst, nil
	}
	for i, v := range x {
		if a := math.Abs(float64(v)); !(a < roundsToInfinity) {
			if err := checkFinite(x); err != nil {
				return dst, err
			}
			return dst, fmt.Errorf("value %d (%v) is beyond float16's largest, %d; store float32", i, v, maxFloat16)
		}
		dst = binary.LittleEndian.AppendUint16(dst, float16.Fromfloat32(v).Bits())
	}
	return dst, nil
}

// decode fills dst from its stored bytes; len(src) is len(dst) times size.
func (d DType) decode(dst []float32, src []byte) {
	if d == Float16 {
		vec.Widen(dst, src)
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}
