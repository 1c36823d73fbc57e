package checkpoint

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// dtype is an element type. decode is nil for types that are listed but never
// read as float32 (counters, masks, index tables).
type dtype struct {
	name   string
	size   int // bytes of an element
	decode func(dst []float32, src []byte)
}

// dtypes by the names of safetensors.
var dtypes = map[string]*dtype{}

func init() {
	for _, d := range []dtype{
		{"F64", 8, decodeF64}, {"F32", 4, decodeF32}, {"F16", 2, decodeF16}, {"BF16", 2, decodeBF16},
		{"I64", 8, nil}, {"I32", 4, nil}, {"I16", 2, nil}, {"I8", 1, nil},
		{"U64", 8, nil}, {"U32", 4, nil}, {"U16", 2, nil}, {"U8", 1, nil},
		{"BOOL", 1, nil}, {"C64", 8, nil}, {"C128", 16, nil},
		{"F8_E4M3", 1, nil}, {"F8_E5M2", 1, nil}, {"F8_E8M0", 1, nil},
	} {
		dtypes[d.name] = &d
	}
}

// torchStorages maps the classes that torch names storages by to types. A
// quantised storage is absent: its tensors need more than their bytes.
var torchStorages = map[string]string{
	"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
	"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
	"ByteStorage": "U8", "BoolStorage": "BOOL",
	"ComplexFloatStorage": "C64", "ComplexDoubleStorage": "C128",
}

// The decoders turn little-endian elements into len(dst) float32.

func decodeF64(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func decodeF32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func decodeF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = float16.Frombits(binary.LittleEndian.Uint16(src[2*i:])).Float32()
	}
}

// decodeBF16: a bfloat16 is the upper half of a float32.
func decodeBF16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}
