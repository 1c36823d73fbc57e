package gosession

import "github.com/x448/float16"

// number is an element of tensors that converts to and from float32 as Go does it.
type number interface {
	uint8 | int8 | int32 | int64 | float32 | float64
}

// fill converts an input's elements, as session.Tensor lists their types, to what programs work on.
func fill(dst []float32, data any) {
	switch v := data.(type) {
	case []float32:
		copy(dst, v)
	case []uint8:
		convert(dst, v)
	case []int8:
		convert(dst, v)
	case []int32:
		convert(dst, v)
	case []int64:
		convert(dst, v)
	case []float64:
		convert(dst, v)
	case []uint16:
		for i, x := range v {
			dst[i] = float16.Frombits(x).Float32()
		}
	case []bool:
		for i, x := range v {
			dst[i] = 0
			if x {
				dst[i] = 1
			}
		}
	}
}

// read is the reverse of fill. What of an output is no whole number though its type is one cannot come up: such outputs
// are folded constants and comparisons.
func read(data any, src []float32) {
	switch v := data.(type) {
	case []float32:
		copy(v, src)
	case []uint8:
		convert(v, src)
	case []int8:
		convert(v, src)
	case []int32:
		convert(v, src)
	case []int64:
		convert(v, src)
	case []float64:
		convert(v, src)
	case []uint16:
		for i, x := range src {
			v[i] = float16.Fromfloat32(x).Bits()
		}
	case []bool:
		for i, x := range src {
			v[i] = x != 0
		}
	}
}

func convert[T, F number](dst []T, src []F) {
	for i, x := range src {
		dst[i] = T(x)
	}
}
