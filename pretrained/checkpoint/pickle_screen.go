package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits on a pickle. The one in a ViT-L checkpoint has 70 kB, 9,000 opcodes
// and a depth of 3; training checkpoints with optimiser state have a few times
// that.
const (
	maxPickle      = 16 << 20 // bytes
	maxOpcodes     = 1 << 19
	maxPickleDepth = 64 // marks open at once
)

// argument says what follows an opcode.
type argument int8

const (
	refused argument = iota // an opcode that torch never writes
	none
	bytes1
	bytes2
	bytes4
	bytes8
	counted1 // a one-byte length, then that many bytes
	counted4
	counted8
	lines2 // two lines of text
)

// widths are the bytes of arguments, or of their lengths.
var widths = [...]int{none: 0, bytes1: 1, bytes2: 2, bytes4: 4, bytes8: 8, counted1: 1, counted4: 4, counted8: 8}

// opcodes lists what torch writes at pickle protocols 2 to 5. The text opcodes
// of protocol 0, extension codes, out-of-band buffers, instances built by INST
// and OBJ, and integers beyond 255 bytes are left out: no state dict holds
// them, and what is not interpreted cannot go wrong.
var opcodes = [256]argument{
	'(': none, '.': none, '0': none, '1': none, '2': none, // MARK STOP POP POP_MARK DUP
	'J': bytes4, 'K': bytes1, 'M': bytes2, 'N': none, 'G': bytes8, // integers, None, float
	'\x88': none, '\x89': none, '\x8a': counted1, // True False LONG1
	'X': counted4, '\x8c': counted1, '\x8d': counted8, // text
	'T': counted4, 'U': counted1, 'B': counted4, 'C': counted1, '\x8e': counted8, // bytes
	')': none, '\x85': none, '\x86': none, '\x87': none, 't': none, // tuples
	']': none, 'a': none, 'e': none, // lists
	'}': none, 's': none, 'u': none, // dictionaries
	'\x8f': none, '\x90': none, '\x91': none, // sets
	'h': bytes1, 'j': bytes4, 'q': bytes1, 'r': bytes4, '\x94': none, // memo
	'c': lines2, '\x93': none, 'R': none, '\x81': none, '\x92': none, 'b': none, // names and calls
	'Q':    none,                   // BINPERSID
	'\x80': bytes1, '\x95': bytes8, // PROTO FRAME
}

// screenPickle walks a pickle's opcodes without interpreting them, and returns
// its length, up to and with STOP. After it the interpreter is safe to run:
// every opcode is a known one, every length lies inside data, and the number
// and depth of what can be built is bounded. (gopickle by itself would
// allocate whatever length an opcode claims.)
func screenPickle(data []byte) (int, error) {
	s := screen{data: data}
	for n := 0; n < maxOpcodes; n++ {
		op, stop, err := s.step()
		if err != nil {
			return 0, fmt.Errorf("pickle, byte %d: %w", op, err)
		}
		if stop {
			return s.at, nil
		}
	}
	return 0, fmt.Errorf("pickle: more opcodes than the limit of %d", maxOpcodes)
}

type screen struct {
	data  []byte
	at    int
	depth int
}

var errPickleEnds = errors.New("the pickle ends inside an opcode")

// step passes one opcode. It returns where the opcode stood.
func (s *screen) step() (at int, stop bool, err error) {
	at = s.at
	if at >= len(s.data) {
		return at, false, errors.New("the pickle ends without STOP")
	}
	op := s.data[at]
	s.at++
	switch op {
	case '(':
		s.depth++
	case 't', 'e', 'u', '1', '\x90', '\x91':
		s.depth--
	case '\x80':
		if s.at < len(s.data) && (s.data[s.at] < 2 || s.data[s.at] > 5) {
			return at, false, fmt.Errorf("pickle protocol %d, want 2 to 5", s.data[s.at])
		}
	case '\x8a':
		// A zero-length integer is valid, but gopickle cannot read it.
		if s.at < len(s.data) && s.data[s.at] == 0 {
			return at, false, errors.New("an integer of zero bytes")
		}
	}
	if s.depth < 0 || s.depth > maxPickleDepth {
		return at, false, fmt.Errorf("%d marks open, want 0 to %d", s.depth, maxPickleDepth)
	}
	return at, op == '.', s.skip(op)
}

// skip passes the opcode's argument.
func (s *screen) skip(op byte) error {
	switch a := opcodes[op]; a {
	case none, bytes1, bytes2, bytes4, bytes8:
		if op == '\x95' { // FRAME: a length that has to be there, but is not skipped
			return s.frame()
		}
		return s.advance(uint64(widths[a]))
	case counted1, counted4, counted8:
		return s.counted(widths[a])
	case lines2:
		return errors.Join(s.line(), s.line())
	}
	return fmt.Errorf("opcode 0x%02x is none that torch writes for tensors", op)
}

func (s *screen) advance(n uint64) error {
	if n > uint64(len(s.data)-s.at) {
		return errPickleEnds
	}
	s.at += int(n)
	return nil
}

// length reads a little-endian number of the given width.
func (s *screen) length(width int) (uint64, error) {
	var b [8]byte
	if width > len(s.data)-s.at {
		return 0, errPickleEnds
	}
	copy(b[:], s.data[s.at:s.at+width])
	s.at += width
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (s *screen) counted(width int) error {
	n, err := s.length(width)
	if err != nil {
		return err
	}
	return s.advance(n)
}

func (s *screen) frame() error {
	n, err := s.length(8)
	if err == nil && n > uint64(len(s.data)-s.at) {
		err = errPickleEnds
	}
	return err
}

func (s *screen) line() error {
	for s.at < len(s.data) {
		s.at++
		if s.data[s.at-1] == '\n' {
			return nil
		}
	}
	return errPickleEnds
}
