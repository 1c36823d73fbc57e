package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"graft/internal/atomicfile"
)

// The npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
const (
	npyMagic = "\x93NUMPY"
	// maxNPYHeader caps the header, which the format lets grow to 4 GiB; a
	// matrix needs 128 bytes.
	maxNPYHeader = 1 << 16
	// npyAlign is what numpy pads headers to, so that the data can be mapped.
	npyAlign = 64
)

// Header describes a matrix in an npy file.
type Header struct {
	DType     DType
	BigEndian bool
	Rows, Dim int
	Offset    int64 // of the first value in the file
}

// bytes is the size of the values.
func (h Header) bytes() int64 { return int64(h.Rows) * int64(h.Dim) * int64(h.DType.Size()) }

// order is the byte order of the values.
func (h Header) order() binary.ByteOrder {
	if h.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// encodeHeader is the version 1.0 header of a [rows,dim] matrix in C order,
// little-endian, as numpy writes it.
func encodeHeader(dt DType, rows, dim int) []byte {
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", dt.descr(), rows, dim)
	n := len(npyMagic) + 4 + len(dict) + 1
	dict += strings.Repeat(" ", (npyAlign-n%npyAlign)%npyAlign) + "\n"
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(dict)))
	return append(out, dict...)
}

// ReadNPYHeader reads the header of versions 1.0 to 3.0. Arrays of one dimension
// count as one column. Types other than float16 and float32, more dimensions and
// Fortran order are refused.
func ReadNPYHeader(r io.Reader) (Header, error) {
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil || string(pre[:6]) != npyMagic {
		return Header{}, errors.New("not an npy file: it does not start with \\x93NUMPY")
	}
	size := 2
	if pre[6] == 2 || pre[6] == 3 {
		size = 4
	} else if pre[6] != 1 {
		return Header{}, fmt.Errorf("npy version %d.%d is not supported; 1.0 to 3.0 are", pre[6], pre[7])
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:size]); err != nil {
		return Header{}, errors.New("npy header is cut off")
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxNPYHeader {
		return Header{}, fmt.Errorf("npy header of %d bytes is over the limit of %d", n, maxNPYHeader)
	}
	dict := make([]byte, n)
	if _, err := io.ReadFull(r, dict); err != nil {
		return Header{}, errors.New("npy header is cut off")
	}
	h, err := parseDict(string(dict))
	h.Offset = int64(8 + size + len(dict))
	return h, err
}

// npyDict is the dictionary that numpy writes, its keys in numpy's order.
var npyDict = regexp.MustCompile(`^\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, ]*)\),?\s*\}\s*$`)

func parseDict(s string) (Header, error) {
	m := npyDict.FindStringSubmatch(s)
	if m == nil {
		return Header{}, fmt.Errorf("malformed npy header %.100q", s)
	}
	var h Header
	switch m[1] {
	case "<f4", ">f4":
		h.DType = Float32
	case "<f2", ">f2":
		h.DType = Float16
	default:
		return Header{}, fmt.Errorf("npy values of type %q; wanted <f4 or <f2: convert with numpy's astype", m[1])
	}
	h.BigEndian = m[1][0] == '>'
	var err error
	if h.Rows, h.Dim, err = parseShape(m[3]); err != nil {
		return Header{}, err
	}
	if m[2] == "True" && h.Rows > 1 && h.Dim > 1 {
		return Header{}, errors.New("npy matrix in Fortran order; save numpy.ascontiguousarray of it")
	}
	return h, nil
}

// parseShape reads "3, 4" or "3,"; the product cannot overflow.
func parseShape(s string) (rows, dim int, err error) {
	var dims []int
	for _, w := range strings.Split(strings.TrimSuffix(strings.TrimSpace(s), ","), ",") {
		d, err := strconv.Atoi(strings.TrimSpace(w))
		if err != nil || d > maxSamples {
			return 0, 0, fmt.Errorf("npy shape (%s); wanted one or two dimensions up to %d", s, int64(maxSamples))
		}
		dims = append(dims, d)
	}
	if len(dims) == 1 {
		dims = append(dims, 1)
	}
	if len(dims) != 2 || dims[1] > maxDim {
		return 0, 0, fmt.Errorf("npy shape (%s); wanted one or two dimensions, the second up to %d", s, maxDim)
	}
	return dims[0], dims[1], nil
}

// openNPY opens a file and checks that it holds exactly what its header says.
func openNPY(path string) (*os.File, Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Header{}, err
	}
	h, err := statNPY(f)
	if err != nil {
		f.Close()
		return nil, Header{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, h, nil
}

func statNPY(f *os.File) (Header, error) {
	h, err := ReadNPYHeader(f)
	if err != nil {
		return h, err
	}
	info, err := f.Stat()
	if err != nil {
		return h, err
	}
	if want := h.Offset + h.bytes(); info.Size() != want {
		return h, fmt.Errorf("%d bytes; a header of %d and [%d,%d] %s make %d: the file is damaged or cut off",
			info.Size(), h.Offset, h.Rows, h.Dim, h.DType, want)
	}
	return h, nil
}

// ReadNPY reads a matrix, row-major, as float32. What it allocates is bounded by
// the file's size.
func ReadNPY(path string) (x []float32, rows, dim int, err error) {
	f, h, err := openNPY(path)
	if err != nil {
		return nil, 0, 0, err
	}
	defer f.Close()
	x = make([]float32, h.Rows*h.Dim)
	err = readRows(f, h, 0, h.Rows, func(i int, row []byte) {
		h.DType.decode(x[i*h.Dim:(i+1)*h.Dim], row, h.order())
	})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return x, h.Rows, h.Dim, nil
}

// readRows streams rows lo to hi and hands each one's bytes to f.
func readRows(r io.ReaderAt, h Header, lo, hi int, f func(i int, row []byte)) error {
	size := h.Dim * h.DType.Size()
	if size == 0 {
		return nil
	}
	const chunk = 1 << 18 // bytes in flight: small beside any matrix, large beside a system call
	buf := make([]byte, max(1, chunk/size)*size)
	for i := lo; i < hi; {
		n := min(hi-i, len(buf)/size)
		part := buf[:n*size]
		if _, err := r.ReadAt(part, h.Offset+int64(i)*int64(size)); err != nil {
			return fmt.Errorf("rows %d to %d: %w", i, i+n, err)
		}
		for k := range n {
			f(i+k, part[k*size:(k+1)*size])
		}
		i += n
	}
	return nil
}

// WriteNPY writes x, [rows,dim] row-major, atomically. Values that the type
// cannot hold are an error.
func WriteNPY(path string, x []float32, rows, dim int, dt DType) error {
	if !dt.valid() || rows < 0 || dim < 1 || len(x) != rows*dim {
		return fmt.Errorf("%s: %d values of type %q do not make [%d,%d]", path, len(x), dt, rows, dim)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(encodeHeader(dt, rows, dim)); err != nil {
		return err
	}
	buf := make([]byte, 0, dim*dt.Size())
	for i := range rows {
		buf, err = dt.appendRow(buf[:0], x[i*dim:(i+1)*dim])
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", path, i, err)
		}
		if _, err := f.Write(buf); err != nil {
			return err
		}
	}
	return f.Commit()
}

var errNotFinite = errors.New("is not a finite number")

// checkFinite names the first value that is NaN or infinite.
func checkFinite(x []float32) error {
	for i, v := range x {
		if !(math.Abs(float64(v)) <= math.MaxFloat32) {
			return fmt.Errorf("value %d (%v) %w", i, v, errNotFinite)
		}
	}
	return nil
}
