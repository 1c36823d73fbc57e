package onnx

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// Caps of the reader. They bound what a hostile file can make it allocate; real
// models of any size stay far below them, because weights do not count.
const (
	// maxStructureBytes bounds everything but the weights: nodes, names,
	// metadata, and constants inside nodes.
	maxStructureBytes = 64 << 20
	// maxFields bounds the protocol buffer fields in it, each of which may
	// become an object in memory.
	maxFields = 4 << 20
	// messageFields is what a message counts for, beside the field that it is: however
	// empty, it takes some 250 bytes of memory, of two in a file.
	messageFields = 8
	// maxInitializers bounds the number of weights.
	maxInitializers = 1 << 18
	// maxRank bounds the number of dimensions of a tensor.
	maxRank = 32
	// maxDepth bounds the nesting of messages; ONNX's own need about eight, and
	// each graph inside a graph three more. What ONNX Runtime needs to open a file
	// doubles with every other graph: 1.8 s at ten of them, 17 s at eighteen.
	maxDepth = 40
)

var errTruncated = errors.New("the file ends in the middle of a field: truncated, or not an ONNX model")

// field is one protocol buffer field in the file.
type field struct {
	num        protowire.Number
	typ        protowire.Type
	start      int64 // of its tag
	body, size int64 // its value; without the length for BytesType
}

func (f field) end() int64 { return f.body + f.size }

// scanner walks the fields of one message in a file without reading the values.
type scanner struct {
	r        io.ReaderAt
	off, end int64
	buf      []byte // the bytes of the file from bufOff
	bufOff   int64
}

// window is how much a scanner reads at a time: enough for many small fields,
// little to lose when it skips a large one.
const window = 4 << 10

// fields steps over the message's fields, up to the first error.
func (s *scanner) fields() iter.Seq2[field, error] {
	return func(yield func(field, error) bool) {
		for s.off != s.end {
			f, err := s.next()
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// next steps over one field and returns it.
func (s *scanner) next() (f field, err error) {
	f.start = s.off
	tag, err := s.varint()
	if err != nil {
		return f, err
	}
	f.num, f.typ = protowire.DecodeTag(tag)
	if f.num < protowire.MinValidNumber || f.num > protowire.MaxValidNumber {
		return f, fmt.Errorf("byte %d: field number %d: not an ONNX model", f.start, f.num)
	}
	f.body = s.off
	if err := s.value(&f); err != nil {
		return f, fmt.Errorf("byte %d: %w", f.start, err)
	}
	return f, nil
}

// within walks the fields of the message that f, the field just stepped over, holds.
func (s *scanner) within(f field, walk func() error) error {
	end := s.end
	s.off, s.end = f.body, f.end()
	err := walk()
	s.off, s.end = f.end(), end
	return err
}

// value sets the size of the field's value and steps over it.
func (s *scanner) value(f *field) error {
	switch f.typ {
	case protowire.VarintType:
		if _, err := s.varint(); err != nil {
			return err
		}
		f.size = s.off - f.body
		return nil
	case protowire.Fixed32Type:
		f.size = 4
	case protowire.Fixed64Type:
		f.size = 8
	case protowire.BytesType:
		n, err := s.varint()
		if err != nil {
			return err
		}
		if n > uint64(s.end-s.off) {
			return errTruncated
		}
		f.body, f.size = s.off, int64(n)
	default:
		return fmt.Errorf("wire type %d: not an ONNX model", f.typ)
	}
	if f.end() > s.end {
		return errTruncated
	}
	s.off = f.end()
	return nil
}

func (s *scanner) varint() (uint64, error) {
	b, err := s.peek()
	if err != nil {
		return 0, err
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, errTruncated
	}
	s.off += int64(n)
	return v, nil
}

// peek returns the bytes at off: ten, the most a varint takes, unless the
// message ends before.
func (s *scanner) peek() ([]byte, error) {
	want := min(10, s.end-s.off)
	at := s.off - s.bufOff
	if at < 0 || at+want > int64(len(s.buf)) {
		if s.buf == nil {
			s.buf = make([]byte, window)
		}
		s.buf = s.buf[:min(int64(cap(s.buf)), s.end-s.off)]
		if err := readFull(s.r, s.buf, s.off); err != nil {
			s.buf = s.buf[:0]
			return nil, err
		}
		s.bufOff, at = s.off, 0
	}
	return s.buf[at:], nil
}

// readFull reads len(b) bytes at off.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errTruncated
	}
	return err
}
