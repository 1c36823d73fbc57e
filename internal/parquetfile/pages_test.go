package parquetfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
)

// fields is a structure in Thrift's compact protocol: the numbers of fields and integers, or structures, in turns.
func fields(list ...any) []byte {
	var out []byte
	last := 0
	for i := 0; i < len(list); i += 2 {
		id := list[i].(int)
		switch v := list[i+1].(type) {
		case int:
			out = binary.AppendVarint(append(out, byte(id-last)<<4|5), int64(v))
		case []byte:
			out = append(append(out, byte(id-last)<<4|12), v...)
		}
		last = id
	}
	return append(out, 0)
}

// dataPage is the header of a page of version 1: bytes before and after compression, values and their encoding.
func dataPage(plain, packed, values int, e format.Encoding) []byte {
	return fields(1, int(format.DataPage), 2, plain, 3, packed, 5, fields(1, values, 2, int(e), 3, int(format.RLE), 4, int(format.RLE)))
}

// Pages that claim what they have not are refused, and no memory is taken for it.
func TestHostilePages(t *testing.T) {
	zeros := func(n int) []byte { // compressed by zstd
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.CopyN(z, zeroReader{}, int64(n))
		_ = z.Close()
		return b.Bytes()
	}
	long := binary.AppendUvarint([]byte{8}, 1<<31) // eight bits, and a run of 2³⁰
	snap := append(binary.AppendUvarint(nil, 1<<32-1), 1, 2, 3)
	bomb, shorter := zeros(64<<20), zeros(20<<20)
	ints := fields(1, 10, 2, int(format.RLEDictionary), 3, int(format.RLE), 4, int(format.RLE))
	decoy := fields(1, 10, 4, int(format.Plain)) // of version 2
	page := func(header []byte, data ...byte) []byte { return append(header, data...) }
	for _, c := range []struct {
		name  string
		codec format.CompressionCodec
		bytes []byte
		want  string
	}{
		{"packed", format.Uncompressed, dataPage(1<<31-1, 1<<31-1, 1, format.Plain), "claims 2147483647 bytes"},
		{"plain", format.Snappy, page(dataPage(1<<31-1, 3, 1, format.Plain), 1, 2, 3), "become 2147483647"},
		{"values", format.Uncompressed, page(dataPage(3, 3, 1<<31-1, format.Plain), 1, 2, 3), "claims 2147483647 values"},
		{"negative", format.Uncompressed, page(dataPage(3, 3, -1, format.Plain), 1, 2, 3), "values"},
		{"dictionary", format.Uncompressed, page(fields(1, 2, 2, 3, 3, 3, 7, fields(1, 1<<31-1, 2, 0)), 1, 2, 3), "claims 2147483647 values"},
		{"snappy", format.Snappy, page(dataPage(100, len(snap), 1, format.Plain), snap...), "becomes 4294967295"},
		{"zstd", format.Zstd, page(dataPage(100, len(bomb), 1, format.Plain), bomb...), "zstd"},
		{"lz4", format.Lz4Raw, page(dataPage(100, 3, 1, format.Plain), 0xff, 0xff, 0xff), "LZ4"},
		{"runs", format.Uncompressed, page(dataPage(len(long)+1, len(long)+1, 10, format.RLEDictionary), append(long, 0)...), "its runs claim"},
		{"of two kinds", format.Uncompressed, page(fields(1, 0, 2, len(long)+1, 3, len(long)+1, 5, ints, 8, decoy), append(long, 0)...), "not of its kind"},
		{"of another kind", format.Uncompressed, page(fields(1, 0, 2, len(long)+1, 3, len(long)+1, 8, decoy), append(long, 0)...), "not of its kind"},
		{"nested lists", format.Uncompressed, bytes.Repeat([]byte{0x19}, maxHeader), "damaged"},
		{"differences", format.Uncompressed, page(dataPage(8, 8, 10, format.DeltaBinaryPacked), 128, 1, 4, 0xff, 0xff, 0xff, 0xff, 7), "differences"},
		{"encoding", format.Uncompressed, page(dataPage(1, 1, 10, format.BitPacked), 0), "is not read"},
		{"repeated", format.Zstd, page(dataPage(20<<20, len(shorter), 10, format.DeltaByteArray), shorter...), "repeat parts"},
		{"cut", format.Uncompressed, dataPage(3, 3, 1, format.Plain)[:4], "damaged"},
		{"text", format.Uncompressed, []byte{0x18, 0xff, 0xff, 0xff, 0xff, 7}, "damaged"},
		{"list", format.Uncompressed, []byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7}, "damaged"},
	} {
		p := &Pages{r: io.NewSectionReader(bytes.NewReader(c.bytes), 0, int64(len(c.bytes))), codec: c.codec, rows: 10}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := p.check()
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(strings.ToUpper(err.Error()+" "+c.codec.String()), strings.ToUpper(c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("%s: %d bytes of memory were taken", c.name, n)
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

// What the library writes, in any compression, is read through the check.
func TestEveryCompression(t *testing.T) {
	type record struct {
		Image []byte  `parquet:"image,optional"`
		Label string  `parquet:"label,dict"`
		Rank  int64   `parquet:"rank,delta"`
		Tags  []int32 `parquet:"tags"`
		Good  bool    `parquet:"good"`
	}
	var want []record
	for i := range 1000 {
		want = append(want, record{bytes.Repeat([]byte{byte(i)}, i%50), []string{"cat", "dog", "eel"}[i%3], int64(i), []int32{1, 2, int32(i)}[:i%4%3], i%7 == 0})
	}
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd, &parquet.Lz4Raw} {
		for _, version := range []int{1, 2} {
			var b bytes.Buffer
			w := parquet.NewGenericWriter[record](&b, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.PageBufferSize(4000))
			_, err := w.Write(want)
			if err = errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			got, err := Read[record](b.Bytes(), len(want))
			if err != nil || len(got) != len(want) || got[999].Label != want[999].Label || !bytes.Equal(got[998].Image, want[998].Image) {
				t.Errorf("%v, version %d: %v", codec, version, err)
			}
		}
	}
}

// A footer that claims a list of two thousand million columns is refused before there is memory for them.
func TestFooterOfManyColumns(t *testing.T) {
	list := binary.AppendUvarint([]byte{0x15, 2, 0x19, 0xfc}, 1<<31-1) // version 1; a list of structures
	refusesFooter(t, append(list, 0))
}

// A footer of lists in lists is refused before the stack is at its end, which nothing recovers from.
func TestFooterOfNestedLists(t *testing.T) {
	refusesFooter(t, bytes.Repeat([]byte{0x19}, 8<<20))
}

func refusesFooter(t *testing.T, footer []byte) {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(append([]byte("PAR1"), footer...), uint32(len(footer)))
	if _, err := Read[struct{ A int64 }](append(data, "PAR1"...), -1); err == nil || !strings.Contains(err.Error(), "footer") {
		t.Error(err)
	}
}
