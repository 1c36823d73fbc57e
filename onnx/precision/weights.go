package precision

import (
	"fmt"
	"io"
	"math"

	"graft/onnx"
)

// levels is the largest int8 weight: symmetric, so −128 is not used.
const levels = 127

// quantized is a matrix [in,out] in int8: column j is approximately Scale[j]
// times the integers of column j.
type quantized struct {
	ints  []byte    // [in,out], int8
	scale []float32 // [out]
	sums  []float32 // [out]: of each column, scaled
}

// quantize rounds every column of w, [rows,cols], to multiples of its largest
// magnitude over 127. A column of zeros has scale 1.
func quantize(w []float32, rows, cols int) (quantized, error) {
	q := quantized{make([]byte, rows*cols), make([]float32, cols), make([]float32, cols)}
	for i, v := range w {
		a := float32(math.Abs(float64(v)))
		if !(a <= math.MaxFloat32) {
			return q, fmt.Errorf("row %d, column %d is %g, want a finite number", i/cols, i%cols, v)
		}
		q.scale[i%cols] = max(q.scale[i%cols], a)
	}
	for j, top := range q.scale {
		if q.scale[j] = top / levels; q.scale[j] == 0 {
			q.scale[j] = 1
		}
	}
	sums := make([]int64, cols)
	for i, v := range w {
		r := math.RoundToEven(float64(v) / float64(q.scale[i%cols]))
		n := int8(max(-levels, min(levels, r))) // a subnormal scale can round the quotient up
		q.ints[i] = byte(n)
		sums[i%cols] += int64(n)
	}
	for j, s := range sums {
		q.sums[j] = float32(float64(s) * float64(q.scale[j]))
	}
	return q, nil
}

// source quantises one matrix when its content is asked for. The last result of
// all sources is kept, for integers, scales and sums are written one after the
// other.
type source struct {
	tensor onnx.Tensor // float32 [in,out]
	recent *recent
}

type recent struct {
	of     *source
	result quantized
}

func (s *source) get() (quantized, error) {
	if s.recent.of == s {
		return s.recent.result, nil
	}
	*s.recent = recent{} // not two layers at once
	w, err := s.tensor.Float32s()
	if err != nil {
		return quantized{}, err
	}
	q, err := quantize(w, int(s.tensor.Dims[0]), int(s.tensor.Dims[1]))
	if err != nil {
		return q, fmt.Errorf("weights %q: %w", s.tensor.Name, err)
	}
	*s.recent = recent{s, q}
	return q, nil
}

// part is a tensor's content that is made when it is written.
type part struct {
	size int64
	make func() (onnx.Raw, error)
}

func (p part) Size() int64 { return p.size }

func (p part) WriteTo(w io.Writer) (int64, error) {
	r, err := p.make()
	if err != nil {
		return 0, err
	}
	return r.WriteTo(w)
}

// part is a piece of the quantised matrix.
func (s *source) part(size int64, pick func(q quantized) onnx.Raw) onnx.Raw {
	return part{size, func() (onnx.Raw, error) {
		q, err := s.get()
		return pick(q), err
	}}
}
