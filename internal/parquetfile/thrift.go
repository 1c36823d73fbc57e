package parquetfile

import (
	"encoding/binary"
	"errors"
)

// errThrift is of bytes that cannot be what they claim.
var errThrift = errors.New("a structure in it is damaged")

// maxNesting bounds how deep structures and lists of Thrift nest; Parquet's own need eight.
const maxNesting = 16

// walk reads one structure in Thrift's compact protocol, which footers and page headers of Parquet files are, and tells how
// many bytes it took. visit gets each integer and truth value outside lists with the numbers of the fields that lead to it.
// Lists, maps and texts that claim more than the bytes that follow are an error, so that whoever reads them for good takes no
// more memory than they are worth.
func walk(data []byte, visit func(path []int16, v int64)) (int, error) {
	w := thriftWalker{data: data, visit: visit}
	err := w.structure()
	return w.at, err
}

type thriftWalker struct {
	data  []byte
	at    int
	path  []int16 // of fields
	depth int
	lists int // in which at is
	visit func(path []int16, v int64)
}

func (w *thriftWalker) byte() (byte, error) {
	if w.at >= len(w.data) {
		return 0, errThrift
	}
	w.at++
	return w.data[w.at-1], nil
}

func (w *thriftWalker) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.data[w.at:])
	if n <= 0 {
		return 0, errThrift
	}
	w.at += n
	return v, nil
}

// zigzag is a signed integer.
func (w *thriftWalker) zigzag() (int64, error) {
	u, err := w.uvarint()
	return int64(u>>1) ^ -int64(u&1), err
}

// skip passes n bytes.
func (w *thriftWalker) skip(n uint64) error {
	if n > uint64(len(w.data)-w.at) {
		return errThrift
	}
	w.at += int(n)
	return nil
}

func (w *thriftWalker) tell(v int64) {
	if w.visit != nil && w.lists == 0 {
		w.visit(w.path, v)
	}
}

func (w *thriftWalker) structure() error {
	id := int16(0)
	for {
		b, err := w.byte()
		if err != nil || b == 0 {
			return err
		}
		if delta := b >> 4; delta > 0 {
			id += int16(delta)
		} else if v, err := w.zigzag(); err == nil {
			id = int16(v)
		} else {
			return err
		}
		w.path = append(w.path, id)
		if err := w.value(b&15, false); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
}

// value reads one of a type of the protocol; in a list truth values take a byte of their own.
func (w *thriftWalker) value(kind byte, listed bool) error {
	switch kind {
	case 1, 2: // true, false
		if listed {
			return w.skip(1)
		}
		w.tell(int64(2 - kind))
		return nil
	case 3: // a byte
		return w.skip(1)
	case 4, 5, 6: // integers
		v, err := w.zigzag()
		w.tell(v)
		return err
	case 7: // a double
		return w.skip(8)
	case 8: // text
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case 9, 10: // a list, a set
		return w.nested(w.list)
	case 12:
		return w.nested(w.structure)
	}
	return errThrift // maps, which Parquet has none of, and what is no type
}

// nested reads what others may lie in.
func (w *thriftWalker) nested(read func() error) error {
	if w.depth++; w.depth > maxNesting {
		return errThrift
	}
	defer func() { w.depth-- }()
	return read()
}

func (w *thriftWalker) list() error {
	b, err := w.byte()
	n := uint64(b >> 4)
	if err == nil && n == 15 {
		n, err = w.uvarint()
	}
	if err != nil || n > uint64(len(w.data)-w.at) {
		return errThrift
	}
	w.lists++
	for range n {
		if err := w.value(b&15, true); err != nil {
			return err
		}
	}
	w.lists--
	return nil
}
