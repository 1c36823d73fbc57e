package parquetfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// What a page may take of memory: so much, and so many times what it takes in the file.
const (
	smallPage = 64 << 20
	maxRatio  = 8
)

// maxHeader is the most bytes of a page's header; statistics with the least and greatest value are in it.
const maxHeader = 1 << 20

// Pages reads the pages of a column in a row group, each after a check that it holds what it claims: the parquet library takes
// memory for sizes, numbers of values and lengths of runs before it looks whether they are there, and for ever more of it where
// a page of LZ4 is damaged.
type Pages struct {
	parquet.Pages
	r        *io.SectionReader // the column's chunk of the file
	at       int64
	codec    format.CompressionCodec
	rows     int64
	repeated int // levels
	defined  int
	failed   error
}

// OpenPages opens the pages of a column of f, which lies in r, in the row group of that number.
func OpenPages(r io.ReaderAt, f *parquet.File, group, column int) *Pages {
	chunk := f.RowGroups()[group].ColumnChunks()[column]
	about := f.Metadata().RowGroups[group].Columns[column].MetaData
	from := about.DataPageOffset
	if about.DictionaryPageOffset != 0 {
		from = about.DictionaryPageOffset
	}
	p := &Pages{Pages: chunk.Pages(), r: io.NewSectionReader(r, from, about.TotalCompressedSize), codec: about.Codec, rows: f.RowGroups()[group].NumRows()}
	if leaf, ok := f.Schema().Lookup(f.Schema().Columns()[column]...); ok {
		p.repeated, p.defined = int(leaf.MaxRepetitionLevel), int(leaf.MaxDefinitionLevel)
	}
	return p
}

// ReadPage is the library's, after the check.
func (p *Pages) ReadPage() (parquet.Page, error) {
	for p.failed == nil {
		var h pageHeader
		if h, p.failed = p.check(); p.failed == nil && h.kind != int64(format.DictionaryPage) {
			break
		}
	}
	if p.failed != nil && p.failed != io.EOF { // the end is the library's to see
		return nil, fmt.Errorf("page at byte %d of its column: %w", p.at, p.failed)
	}
	return p.Pages.ReadPage()
}

// checkAll looks at all pages of a file.
func checkAll(r io.ReaderAt, f *parquet.File) error {
	for g, group := range f.RowGroups() {
		for c := range group.ColumnChunks() {
			p := OpenPages(r, f, g, c)
			var err error
			for err == nil {
				_, err = p.check()
			}
			if err != io.EOF {
				return fmt.Errorf("malformed parquet file: column %d, page at byte %d of it: %w", c, p.at, err)
			}
			if err := p.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageHeader is what of a header decides memory; zero what it does not say.
type pageHeader struct {
	kind, plain, packed      int64 // format.PageType; bytes before and after compression
	values, encoding         int64
	definitions, repetitions int64 // bytes of levels, of version 2
	uncompressed             bool  // of version 2
	of                       int16 // the field with what is of one kind alone; -1 of several
}

// kindField is the field of a header with what is of pages of a kind alone, by format.PageType.
var kindField = map[int64]int16{int64(format.DataPage): 5, int64(format.IndexPage): 6, int64(format.DictionaryPage): 7, int64(format.DataPageV2): 8}

func readHeader(data []byte) (h pageHeader, n int, err error) {
	n, err = walk(data, func(path []int16, v int64) {
		if len(path) == 1 {
			switch path[0] {
			case 1:
				h.kind = v
			case 2:
				h.plain = v
			case 3:
				h.packed = v
			}
			return
		}
		if f := path[0]; f >= 5 && f <= 8 && h.of != f {
			if h.of != 0 {
				f = -1
			}
			h.of = f
		}
		if len(path) != 2 {
			return
		}
		switch [2]int16(path) {
		case [2]int16{5, 1}, [2]int16{7, 1}, [2]int16{8, 1}: // of data, a dictionary, data of version 2
			h.values = max(h.values, v)
			if v < 0 {
				h.values = 1 << 40
			}
		case [2]int16{5, 2}, [2]int16{7, 2}, [2]int16{8, 4}:
			h.encoding = v
		case [2]int16{8, 5}:
			h.definitions = v
		case [2]int16{8, 6}:
			h.repetitions = v
		case [2]int16{8, 7}:
			h.uncompressed = v == 0
		}
	})
	return h, n, err
}

// check looks at the next page and passes it; io.EOF is the end of the chunk.
func (p *Pages) check() (pageHeader, error) {
	if p.at >= p.r.Size() {
		return pageHeader{}, io.EOF
	}
	h, from, err := p.header()
	if err != nil {
		return h, err
	}
	if h.of != kindField[h.kind] { // who reads it next may believe another of them
		return h, fmt.Errorf("its header is not of its kind, page type %d, alone", h.kind)
	}
	if h.packed < 0 || h.packed > p.r.Size()-from || h.plain < 0 || h.plain > smallPage+maxRatio*h.packed {
		return h, fmt.Errorf("it claims %d bytes, which become %d, of %d that are there", h.packed, h.plain, p.r.Size()-from)
	}
	if most := p.mostValues(h); h.values > most {
		return h, fmt.Errorf("it claims %d values, and there can be %d", h.values, most)
	}
	data := make([]byte, h.packed)
	if _, err := p.r.ReadAt(data, from); err != nil && err != io.EOF {
		return h, err
	}
	p.at = from + h.packed
	return h, p.checkContent(h, data)
}

// header reads the header at p.at, and tells where the page's bytes begin.
func (p *Pages) header() (h pageHeader, from int64, err error) {
	for size := int64(256); ; size *= 16 { // most are short
		data := make([]byte, min(size, p.r.Size()-p.at))
		n, err := p.r.ReadAt(data, p.at)
		if err != nil && err != io.EOF {
			return h, 0, err
		}
		h, used, err := readHeader(data[:n])
		if err == nil || size >= maxHeader || n < len(data) || int64(n) == p.r.Size()-p.at {
			return h, p.at + int64(used), err
		}
	}
}

// mostValues is how many values a page can hold: rows of its group, or elements of lists, which take a bit each at least.
func (p *Pages) mostValues(h pageHeader) int64 {
	if h.kind == int64(format.DictionaryPage) || p.repeated > 0 {
		return 8 * max(h.plain, h.packed)
	}
	return p.rows
}

// checkContent looks at runs, whose lengths are claims too.
func (p *Pages) checkContent(h pageHeader, data []byte) (err error) {
	v2 := h.kind == int64(format.DataPageV2)
	if v2 {
		if h.repetitions < 0 || h.definitions < 0 || h.repetitions > int64(len(data)) || h.definitions > int64(len(data))-h.repetitions {
			return errors.New("its levels are longer than it")
		}
		if err := cmp.Or(checkRuns(data[:h.repetitions], levelBits(p.repeated), h.values), checkRuns(data[h.repetitions:][:h.definitions], levelBits(p.defined), h.values)); err != nil {
			return err
		}
		data, h.plain = data[h.repetitions+h.definitions:], h.plain-h.repetitions-h.definitions
	}
	if !v2 || !h.uncompressed {
		if data, err = inflate(p.codec, data, h.plain); err != nil {
			return fmt.Errorf("compressed by %v: %w", p.codec, err)
		}
	}
	if h.kind == int64(format.DictionaryPage) {
		return nil
	}
	for _, levels := range []int{p.repeated, p.defined} {
		if levels == 0 || v2 {
			continue
		}
		if len(data) < 4 || int64(binary.LittleEndian.Uint32(data)) > int64(len(data)-4) {
			return errors.New("its levels are longer than it")
		}
		n := 4 + int(binary.LittleEndian.Uint32(data))
		if err := checkRuns(data[4:n], levelBits(levels), h.values); err != nil {
			return err
		}
		data = data[n:]
	}
	if format.Encoding(h.encoding) == format.DeltaByteArray { // each value may repeat the one before it
		if len(data) > 0 && h.values > (smallPage+maxRatio*h.packed)/int64(len(data)) {
			return fmt.Errorf("%d values that repeat parts of each other in %d bytes: write the file anew, with plain or dictionary encoding", h.values, len(data))
		}
		return nil
	}
	return checkValues(format.Encoding(h.encoding), data, h.values)
}

// levelBits is how wide levels up to most are.
func levelBits(most int) int {
	bits := 0
	for ; most > 0; most >>= 1 {
		bits++
	}
	return bits
}

// oldDictionary is what writers called RLEDictionary before version 2 of the format.
const oldDictionary format.Encoding = 2

func checkValues(e format.Encoding, data []byte, most int64) error {
	switch e {
	case format.Plain, format.ByteStreamSplit:
		return nil
	case oldDictionary, format.RLEDictionary:
		if len(data) == 0 {
			return nil
		}
		return checkRuns(data[1:], int(data[0]), most)
	case format.RLE:
		return checkRuns(data[min(4, len(data)):], 1, most)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		for range 2 { // sizes of blocks, which the library bounds
			_, n := binary.Uvarint(data)
			data = data[max(0, n):]
		}
		if total, n := binary.Uvarint(data); n <= 0 || total > uint64(most) {
			return fmt.Errorf("it claims %d differences, and there can be %d", total, most)
		}
		return nil
	}
	return fmt.Errorf("its encoding %v is not read: write the file anew, with plain or dictionary encoding", e)
}

// spareValues are what the last run may hold beyond the last value, which writers leave there.
const spareValues = 512

// checkRuns adds up the runs of numbers of so many bits.
func checkRuns(data []byte, bits int, most int64) error {
	sum, left := uint64(0), data
	for len(left) > 0 {
		u, n := binary.Uvarint(left)
		if n <= 0 || bits > 32 {
			return errors.New("its runs are damaged")
		}
		left = left[n:]
		count, size := u>>1, uint64(bits+7)/8
		if count == 0 {
			continue
		}
		if u&1 == 1 {
			count, size = min(count, 1<<40)*8, min(count, 1<<40)*uint64(bits)
		}
		if sum += count; sum > uint64(most)+spareValues || size > uint64(len(left)) {
			return fmt.Errorf("its runs claim %d values and more, and there can be %d", sum, most)
		}
		left = left[size:]
	}
	return nil
}

// inflate gives the size bytes that data become; more or fewer are an error, told before they are there.
func inflate(codec format.CompressionCodec, data []byte, size int64) ([]byte, error) {
	wrong := func(n int) error { return fmt.Errorf("it becomes %d bytes or more, and claims %d", n, size) }
	out := make([]byte, max(0, size))
	var r io.Reader
	switch codec {
	case format.Uncompressed:
		return data, nil
	case format.Snappy:
		n, err := snappy.DecodedLen(data)
		if err != nil || int64(n) != size {
			return nil, errors.Join(err, wrong(n))
		}
		return snappy.Decode(out, data)
	case format.Lz4Raw:
		n, err := lz4.UncompressBlock(data, out)
		if err != nil || int64(n) != size {
			return nil, errors.Join(err, wrong(n))
		}
		return out, nil
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		r = z
	case format.Brotli:
		r = brotli.NewReader(bytes.NewReader(data))
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(size, 1<<20))), zstd.WithDecoderMaxWindow(smallPage), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, errors.New("a compression that is not read")
	}
	n, err := io.ReadFull(r, out)
	if err != nil && !(size == 0 && err == io.EOF) {
		return nil, errors.Join(err, wrong(n))
	}
	if n, _ := r.Read(make([]byte, 1)); n > 0 {
		return nil, wrong(len(out) + 1)
	}
	return out, nil
}
