package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
)

// floats are the bits of floating-point types that are all ones where a number is infinite or NaN, and those of which
// one is set where it is NaN.
var floats = map[DType]struct{ exponent, fraction uint64 }{
	Float16:  {0x7c00, 0x3ff},
	BFloat16: {0x7f80, 0x7f},
	Float32:  {0x7f800000, 0x7fffff},
	Float64:  {0x7ff << 52, 1<<52 - 1},
}

// writeFinite writes the content and refuses NaN and infinity, which a training that diverged leaves in weights.
// Infinity alone, and among zeros in tensors of two dimensions or more, is what networks mask with.
func (t *Tensor) writeFinite(w io.Writer) (int64, error) {
	kind, float := floats[t.Type]
	if !float {
		return t.Data.WriteTo(w)
	}
	var elements, infinite, numbers int64
	bits := map[int64]func(b []byte) uint64{
		2: func(b []byte) uint64 { return uint64(binary.LittleEndian.Uint16(b)) },
		4: func(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) },
		8: binary.LittleEndian.Uint64,
	}[t.Type.Size()]
	check := &splitter{size: int(t.Type.Size()), each: func(b []byte) error {
		v := bits(b)
		switch {
		case v&kind.exponent != kind.exponent:
			if v&(kind.exponent|kind.fraction) != 0 {
				numbers++
			}
		case v&kind.fraction != 0:
			return fmt.Errorf("element %d is NaN, want finite numbers", elements)
		default:
			infinite++
		}
		elements++
		return nil
	}}
	n, err := t.Data.WriteTo(io.MultiWriter(check, w))
	if mask := elements == 1 || len(t.Dims) > 1 && numbers == 0; err == nil && infinite > 0 && !mask {
		err = fmt.Errorf("%d of %d elements are infinite, want finite numbers", infinite, elements)
	}
	return n, err
}
