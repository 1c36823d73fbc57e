package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// blockSize is the unit of reading and parsing, and so the longest row: one of
// FER2013 takes at most 9.3 kB.
const blockSize = 1 << 20

// maxCSVBytes bounds what is unpacked from an archive that never ends: some
// four million rows, a hundred times FER2013.
const maxCSVBytes = 40 << 30

// blockReader cuts a stream into blocks that end where a row ends.
type blockReader struct {
	r     io.Reader
	carry []byte // what followed the last block's last row
	read  int64
	err   error // of r, kept until the bytes before it are handed out
}

// next fills buf, of blockSize bytes, and returns the part of it that is whole
// rows. At the end it returns the last row with or without its line feed, then
// io.EOF. When the stream breaks off it returns the whole rows before the
// break, then the error.
func (b *blockReader) next(buf []byte) ([]byte, error) {
	n := copy(buf, b.carry)
	b.carry = b.carry[:0]
	for b.err == nil && n < len(buf) {
		var k int
		k, b.err = b.r.Read(buf[n:])
		n, b.read = n+k, b.read+int64(k)
		if b.read > maxCSVBytes {
			return nil, fmt.Errorf("CSV is longer than %d bytes", int64(maxCSVBytes))
		}
	}
	if n == 0 {
		return nil, b.err
	}
	if errors.Is(b.err, io.EOF) {
		return buf[:n], nil
	}
	cut := lastRowEnd(buf[:n])
	if cut == 0 && b.err != nil {
		return nil, b.err
	}
	if cut == 0 {
		return nil, fmt.Errorf("row is longer than %d bytes, or a quote is never closed", blockSize)
	}
	b.carry = append(b.carry, buf[cut:n]...)
	return buf[:cut], nil
}

// lastRowEnd is the length of the whole rows in block, which starts at a row's
// start: the position after the last line feed that lies outside quotes.
func lastRowEnd(block []byte) int {
	quotes := bytes.Count(block, quoteMark)
	end := len(block)
	for {
		i := bytes.LastIndexByte(block[:end], '\n')
		if i < 0 {
			return 0
		}
		quotes -= bytes.Count(block[i:end], quoteMark)
		if quotes%2 == 0 {
			return i + 1
		}
		end = i
	}
}

var quoteMark = []byte{'"'}

// cutRow splits the first row off block, without its line end. quoted says that
// block holds quotes at all; only then can a line feed lie inside a field.
func cutRow(block []byte, quoted bool) (row, rest []byte) {
	end := bytes.IndexByte(block, '\n')
	if quoted {
		open := 0
		for at := 0; end >= 0; {
			open += bytes.Count(block[at:end], quoteMark)
			if open%2 == 0 {
				break
			}
			at = end + 1
			k := bytes.IndexByte(block[at:], '\n')
			if k < 0 {
				end = -1
				break
			}
			end = at + k
		}
	}
	if end < 0 {
		return bytes.TrimSuffix(block, []byte{'\r'}), nil
	}
	return bytes.TrimSuffix(block[:end], []byte{'\r'}), block[end+1:]
}

// cutField splits the first field off row. more says that another follows.
func cutField(row []byte) (field, rest []byte, more bool, err error) {
	if len(row) > 0 && row[0] == '"' {
		return cutQuoted(row)
	}
	i := bytes.IndexByte(row, ',')
	if i < 0 {
		return row, nil, false, nil
	}
	return row[:i], row[i+1:], true, nil
}

// cutQuoted reads a field in quotes, in which a doubled quote stands for one. Where
// there are such, row is changed.
func cutQuoted(row []byte) (field, rest []byte, more bool, err error) {
	rest, field = row[1:], row[:0]
	for {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			return nil, nil, false, lineError("quotation mark is not closed")
		}
		if len(field) == 0 {
			field = rest[:i]
		} else {
			field = append(field, rest[:i]...)
		}
		if rest = rest[i+1:]; len(rest) == 0 {
			return field, nil, false, nil
		}
		switch rest[0] {
		case ',':
			return field, rest[1:], true, nil
		case '"':
			field, rest = append(field, '"'), rest[1:]
		default:
			return nil, nil, false, lineError("text behind a closing quotation mark")
		}
	}
}
