package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/x448/float16"
)

// Raw is a tensor's content as ONNX stores it: little-endian elements in
// row-major order, produced when they are needed. WriteTo writes exactly Size
// bytes.
type Raw interface {
	Size() int64
	WriteTo(w io.Writer) (int64, error)
}

// Tensor is a constant: an initialiser, or the value of an attribute. Nil Dims
// make it a scalar.
type Tensor struct {
	Name string
	Type DType
	Dims []int64
	Data Raw
}

// chunk is the number of elements that conversions hold at a time.
const chunk = 16 << 10

// maxElements bounds the number of elements of a tensor, so that sizes in
// bytes cannot overflow.
const maxElements = math.MaxInt64 / 16

// Float32s returns the content of a Float32 tensor that v holds. v is not
// copied and must not change until the model is written.
func Float32s(v []float32) Raw { return numbers[float32](v) }

// Int64s returns the content of an Int64 tensor that v holds, without a copy.
func Int64s(v []int64) Raw { return numbers[int64](v) }

// Bytes returns content that already is little-endian bytes, without a copy.
func Bytes(b []byte) Raw { return rawBytes(b) }

// Float16s returns the content of a Float16 tensor: v rounded to the nearest
// half, ties to even, when it is written.
func Float16s(v []float32) Raw { return float16s(v) }

type (
	numbers[T any] []T // of a type that package binary knows
	float16s       []float32
	rawBytes       []byte
)

func (v numbers[T]) Size() int64 { return int64(binary.Size([]T(v))) }
func (v float16s) Size() int64   { return int64(len(v)) * 2 }
func (v rawBytes) Size() int64   { return int64(len(v)) }

func (v numbers[T]) WriteTo(w io.Writer) (int64, error) {
	return writeChunks(w, v, func(b []byte, part []T) []byte {
		b, _ = binary.Append(b, binary.LittleEndian, part)
		return b
	})
}

func (v float16s) WriteTo(w io.Writer) (int64, error) {
	return writeChunks(w, v, func(b []byte, part []float32) []byte {
		for _, x := range part {
			b = binary.LittleEndian.AppendUint16(b, float16.Fromfloat32(x).Bits())
		}
		return b
	})
}

func (v rawBytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(v)
	return int64(n), err
}

// writeChunks writes the bytes that put appends for some elements at a time.
func writeChunks[T any](w io.Writer, v []T, put func(b []byte, part []T) []byte) (written int64, err error) {
	var buf []byte
	for part := range slices.Chunk(v, chunk) {
		buf = put(buf[:0], part)
		n, err := w.Write(buf)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// fileRaw is content that lies in a file and is read when it is needed.
type fileRaw struct {
	r      io.ReaderAt
	off, n int64
}

func (f fileRaw) Size() int64 { return f.n }

func (f fileRaw) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, io.NewSectionReader(f.r, f.off, f.n))
	if err == nil && n != f.n {
		err = io.ErrUnexpectedEOF // the file shrank since it was opened
	}
	return n, err
}

// Elements is the number of elements that dims hold (1 for none), or an error
// for a negative dimension and for a product that no memory could hold.
func Elements(dims []int64) (int64, error) {
	n := int64(1)
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("dimensions %v: negative", dims)
		}
		if d != 0 && n > maxElements/d {
			return 0, fmt.Errorf("dimensions %v: too many elements", dims)
		}
		n *= d
	}
	return n, nil
}

// check compares type, dimensions and size of the content.
func (t Tensor) check() error {
	n, err := Elements(t.Dims)
	switch {
	case err != nil:
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	case t.Data == nil:
		return fmt.Errorf("tensor %q has no data", t.Name)
	case t.Type.Size() == 0:
		return nil // packed and unknown types: only the runtime can tell
	case t.Data.Size() != n*t.Type.Size():
		return fmt.Errorf("tensor %q: %v %v wants %d bytes, got %d", t.Name, t.Type, t.Dims, n*t.Type.Size(), t.Data.Size())
	}
	return nil
}

// Float32s returns the elements of a Float32, Float16, BFloat16 or Float64
// tensor, row-major, as float32.
func (t Tensor) Float32s() ([]float32, error) {
	decode := map[DType]func(b []byte) float32{
		Float32:  func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) },
		Float16:  func(b []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32() },
		BFloat16: func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) },
		Float64:  func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) },
	}[t.Type]
	if decode == nil {
		return nil, fmt.Errorf("tensor %q: want floating point, got %v", t.Name, t.Type)
	}
	return decodeAll(t, decode)
}

// Int64s returns the elements of a tensor of whole numbers of 32 or 64 bits, or of truths as 0 and 1, row-major.
func (t Tensor) Int64s() ([]int64, error) {
	switch t.Type {
	case Bool, Uint8:
		return decodeAll(t, func(b []byte) int64 { return int64(b[0]) })
	case Int8:
		return decodeAll(t, func(b []byte) int64 { return int64(int8(b[0])) })
	case Int64:
		return decodeAll(t, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
	case Int32:
		return decodeAll(t, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) })
	}
	return nil, fmt.Errorf("tensor %q: want int64, int32, int8, uint8 or bool, got %v", t.Name, t.Type)
}

// decodeAll streams the content through decode, so that only the result is
// held whole.
func decodeAll[T any](t Tensor, decode func(b []byte) T) ([]T, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	size := int(t.Type.Size())
	out := make([]T, 0, t.Data.Size()/int64(size))
	s := &splitter{size: size, each: func(b []byte) error { out = append(out, decode(b)); return nil }}
	if _, err := t.Data.WriteTo(s); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if len(s.rest) != 0 || len(out) != cap(out) {
		return nil, fmt.Errorf("tensor %q: data ended early", t.Name)
	}
	return out, nil
}

// splitter is a writer that gives each the elements of size bytes that are written to it; rest holds the start of
// one that a write cut off.
type splitter struct {
	size int
	each func(b []byte) error
	rest []byte
}

func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	if len(s.rest) > 0 {
		p = append(s.rest, p...)
	}
	for ; len(p) >= s.size; p = p[s.size:] {
		if err := s.each(p); err != nil {
			return 0, err
		}
	}
	s.rest = append([]byte(nil), p...)
	return n, nil
}
