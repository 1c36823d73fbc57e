package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var npyMagic = []byte("\x93NUMPY")

// npyArray is an array in a .npy file, in C order
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
type npyArray struct {
	r     io.ReaderAt
	at    int64  // of the first element
	descr string // numpy's, such as |u1 and <i8
	width int    // bytes of an element
	shape []int
}

// Bounds of an array.
const (
	maxNpyHeader = 1 << 16
	maxNpyDims   = 8
)

var npyHead = regexp.MustCompile(`^\{'descr': '([<>|=]?)([a-zA-Z])([0-9]{1,6})', 'fortran_order': (True|False) *, *'shape': \(([0-9, ]*)\), *\}\s*$`)

// readNpy reads the header of an array that fills size bytes of r.
func readNpy(r io.ReaderAt, size int64) (a npyArray, err error) {
	start := make([]byte, 12)
	if _, err := r.ReadAt(start, 0); err != nil || !bytes.HasPrefix(start, npyMagic) {
		return a, errors.New("no array of numpy: it starts with other bytes than .npy files do, or ends too early")
	}
	from, length := 10, int(binary.LittleEndian.Uint16(start[8:]))
	if start[6] > 1 {
		from, length = 12, int(min(binary.LittleEndian.Uint32(start[8:]), 2*maxNpyHeader))
	}
	if length > maxNpyHeader || int64(from+length) > size {
		return a, fmt.Errorf("array's header is %d bytes long, the file %d", length, size)
	}
	head := make([]byte, length)
	if _, err := r.ReadAt(head, int64(from)); err != nil {
		return a, err
	}
	m := npyHead.FindSubmatch(head)
	switch {
	case m == nil:
		return a, fmt.Errorf("array is described as %.80q, wanted one type and shape (arrays of objects are not read)", strings.TrimSpace(string(head)))
	case string(m[4]) == "True":
		return a, errors.New("array is in Fortran's order; save np.ascontiguousarray(x)")
	}
	a = npyArray{r: r, at: int64(from + length), descr: string(m[1]) + string(m[2]) + string(m[3])}
	a.width, _ = strconv.Atoi(string(m[3])) // six digits
	if m[2][0] == 'U' {
		a.width *= 4
	}
	room := size - a.at
	left := room / max(1, int64(a.width))
	for field := range strings.SplitSeq(string(m[5]), ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 63)
		if err != nil || n > left || len(a.shape) == maxNpyDims {
			return a, fmt.Errorf("array of shape (%s) and type %s does not fit into %d bytes: the file is cut short or damaged", m[5], a.descr, room)
		}
		left /= max(n, 1)
		a.shape = append(a.shape, int(n))
	}
	return a, nil
}

// row is the number of a row's elements.
func (a npyArray) row() int {
	n := 1
	for _, d := range a.shape[1:] {
		n *= d
	}
	return n
}

// text is the array's rows, of one element each, as labels.
func (a npyArray) text() ([]string, error) {
	if len(a.shape) == 0 || len(a.shape) > 2 || a.row() != 1 {
		return nil, fmt.Errorf("labels are of shape %v, wanted [N] or [N,1] (of one-hot rows save y.argmax(1))", a.shape)
	}
	data := make([]byte, a.shape[0]*a.width)
	if _, err := a.r.ReadAt(data, a.at); err != nil && !(errors.Is(err, io.EOF) && len(data) == 0) {
		return nil, err
	}
	element, ok := npyElements[strings.TrimLeft(a.descr, "<>|=")]
	switch kind := strings.TrimLeft(a.descr, "<>|=0123456789"); {
	case ok:
	case strings.HasPrefix(kind, "U"):
		element = npyUTF32
	case strings.HasPrefix(kind, "S"):
		element = func(b []byte, _ binary.ByteOrder) string { return string(bytes.TrimRight(b, "\x00")) }
	default:
		return nil, fmt.Errorf("labels are of type %s, wanted whole numbers or text", a.descr)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if a.descr[0] == '>' {
		order = binary.BigEndian
	}
	out := make([]string, a.shape[0])
	for i := range out {
		out[i] = element(data[i*a.width:(i+1)*a.width], order)
		if out[i] == "" {
			return nil, fmt.Errorf("label %d is empty, or no whole number", i)
		}
	}
	return out, nil
}

// npyElements are the types of numbers that are labels, as they are written.
var npyElements = map[string]func(b []byte, order binary.ByteOrder) string{
	"b1": func(b []byte, _ binary.ByteOrder) string { return strconv.Itoa(int(b[0])) },
	"u1": func(b []byte, _ binary.ByteOrder) string { return strconv.Itoa(int(b[0])) },
	"i1": func(b []byte, _ binary.ByteOrder) string { return strconv.Itoa(int(int8(b[0]))) },
	"u2": func(b []byte, o binary.ByteOrder) string { return strconv.Itoa(int(o.Uint16(b))) },
	"i2": func(b []byte, o binary.ByteOrder) string { return strconv.Itoa(int(int16(o.Uint16(b)))) },
	"u4": func(b []byte, o binary.ByteOrder) string { return strconv.FormatUint(uint64(o.Uint32(b)), 10) },
	"i4": func(b []byte, o binary.ByteOrder) string { return strconv.Itoa(int(int32(o.Uint32(b)))) },
	"u8": func(b []byte, o binary.ByteOrder) string { return strconv.FormatUint(o.Uint64(b), 10) },
	"i8": func(b []byte, o binary.ByteOrder) string { return strconv.FormatInt(int64(o.Uint64(b)), 10) },
	"f4": func(b []byte, o binary.ByteOrder) string { return whole(float64(math.Float32frombits(o.Uint32(b)))) },
	"f8": func(b []byte, o binary.ByteOrder) string { return whole(math.Float64frombits(o.Uint64(b))) },
}

// whole is "" of a number that is none.
func whole(v float64) string {
	if !(math.Abs(v) < 1<<53) || v != math.Trunc(v) {
		return ""
	}
	return strconv.FormatInt(int64(v), 10)
}

func npyUTF32(b []byte, order binary.ByteOrder) string {
	var s strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		if r := order.Uint32(b); r != 0 {
			s.WriteRune(rune(min(r, 0x110000))) // what is none becomes U+FFFD
		}
	}
	return s.String()
}
