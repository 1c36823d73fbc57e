package checkpoint

import (
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// tensor is where a tensor's elements lie. Everything in it has been checked
// against the storage's real size.
type tensor struct {
	dtype   *dtype
	shape   []int
	strides []int // in elements; nil where the tensor is contiguous
	offset  int64 // of the first element in the storage, in bytes
	storage storage
}

// storage is a run of bytes in the file, possibly compressed.
type storage interface {
	size() int64
	// section opens n bytes from offset off.
	section(off, n int64) (io.ReadCloser, error)
}

// readChunk is how many bytes Float32 holds beside its result.
const readChunk = 1 << 20

func (t *tensor) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

func (t *tensor) float32s() ([]float32, error) {
	if t.dtype.decode == nil {
		return nil, fmt.Errorf("its type is %s, want F64, F32, F16 or BF16", t.dtype.name)
	}
	if t.strides == nil {
		return t.readRun(t.elements())
	}
	span, err := t.readRun(t.span())
	if err != nil {
		return nil, err
	}
	return gather(span, t.shape, t.strides, t.elements()), nil
}

// span is the number of elements between the first and the last, inclusive.
func (t *tensor) span() int {
	last := 0
	for i, d := range t.shape {
		if d == 0 {
			return 0
		}
		last += (d - 1) * t.strides[i]
	}
	return last + 1
}

// readRun decodes n consecutive elements from the tensor's offset.
func (t *tensor) readRun(n int) (out []float32, err error) {
	if n == 0 {
		return []float32{}, nil
	}
	r, err := t.storage.section(t.offset, int64(n)*int64(t.dtype.size))
	if err != nil {
		return nil, err
	}
	defer func() {
		// Closing tells of a wrong checksum.
		if e := r.Close(); err == nil && e != nil {
			out, err = nil, e
		}
	}()
	out = make([]float32, n)
	buf := make([]byte, min(readChunk, n*t.dtype.size))
	for done := 0; done < n; {
		k := min(len(buf)/t.dtype.size, n-done)
		part := buf[:k*t.dtype.size]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, fmt.Errorf("element %d of %d: %w", done, n, err)
		}
		t.dtype.decode(out[done:done+k], part)
		done += k
	}
	return out, nil
}

// gather copies a strided view into row-major order.
func gather(span []float32, shape, strides []int, n int) []float32 {
	out := make([]float32, n)
	index := make([]int, len(shape))
	at := 0
	for i := range out {
		out[i] = span[at]
		for d := len(shape) - 1; d >= 0; d-- {
			index[d]++
			at += strides[d]
			if index[d] < shape[d] {
				break
			}
			at -= shape[d] * strides[d]
			index[d] = 0
		}
	}
	return out
}

// elementCount multiplies the dimensions, and fails on a negative one, on
// overflow and beyond the limits.
func elementCount(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("%d dimensions, more than the limit of %d", len(shape), maxRank)
	}
	n := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		hi, lo := bits.Mul64(n, uint64(max(d, 1)))
		if hi != 0 || lo > maxElements {
			return 0, fmt.Errorf("shape %v has more elements than the limit of %d", shape, maxElements)
		}
		n = lo
	}
	if slices.Contains(shape, 0) {
		return 0, nil
	}
	return int(n), nil
}
