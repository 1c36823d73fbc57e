package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// npyAlign is what numpy pads headers to, so that the data can be mapped.
const npyAlign = 64

// npyHeader describes an npy file of a store: rows of one shape in C order, little-endian
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type npyHeader struct {
	dtype DType
	rows  int
	shape []int // of a row
}

// dim is the number of a row's values.
func (h npyHeader) dim() int {
	n := 1
	for _, d := range h.shape {
		n *= d
	}
	return n
}

// encode is the header of version 1.0, as numpy writes it.
func (h npyHeader) encode() []byte {
	const magic = "\x93NUMPY\x01\x00"
	shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(h.shape), "[]"), " ", ", ")
	dict := fmt.Sprintf("{'descr': '<f%d', 'fortran_order': False, 'shape': (%d, %s), }", h.dtype.size(), h.rows, shape)
	n := len(magic) + 2 + len(dict) + 1
	dict += strings.Repeat(" ", (npyAlign-n%npyAlign)%npyAlign) + "\n"
	return append(binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(dict))), dict...)
}

// size is the file's, in bytes.
func (h npyHeader) size() int64 {
	return int64(len(h.encode())) + int64(h.rows)*int64(h.dim())*int64(h.dtype.size())
}

// check compares the start of a file with this header, which it has to have.
func (h npyHeader) check(r io.ReaderAt) error {
	want := h.encode()
	got := make([]byte, len(want))
	if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("it starts with %.80q, want the header of %d rows of %v %s", got, h.rows, h.shape, h.dtype)
	}
	return nil
}

// readRows streams rows lo to hi of a file that has to have this header, and hands
// each one's bytes to f.
func (h npyHeader) readRows(r io.ReaderAt, lo, hi int, f func(i int, row []byte)) error {
	if err := h.check(r); err != nil {
		return err
	}
	begin, size := int64(len(h.encode())), h.dim()*h.dtype.size()
	const chunk = 1 << 18 // bytes in flight: small beside any matrix, large beside a system call
	buf := make([]byte, max(1, chunk/size)*size)
	for i := lo; i < hi; {
		n := min(hi-i, len(buf)/size)
		part := buf[:n*size]
		if _, err := r.ReadAt(part, begin+int64(i)*int64(size)); err != nil {
			return fmt.Errorf("rows %d to %d: %w", i, i+n, err)
		}
		for k := range n {
			f(i+k, part[k*size:(k+1)*size])
		}
		i += n
	}
	return nil
}

// checkFinite names the first value that is NaN or infinite.
func checkFinite(x []float32) error {
	for i, v := range x {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return fmt.Errorf("value %d (%v) is not a finite number", i, v)
		}
	}
	return nil
}
