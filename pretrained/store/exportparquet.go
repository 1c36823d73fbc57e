package store

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"graft/internal/parquetfile"
	"graft/internal/regular"
	"graft/preprocess/dataset"
)

// FileFormat is FileInfo.Format.
const FileFormat = "graft-embeddings-file-1"

// infoKey is the key of a parquet file's metadata under which a FileInfo stands, as JSON.
const infoKey = "graft"

// FileInfo is what an exported parquet file says of itself.
type FileInfo struct {
	Format      string   `json:"format"`
	Backbone    Backbone `json:"backbone"`
	Fingerprint string   `json:"fingerprint"` // of the dataset
	Classes     []string `json:"classes"`     // that column label counts in
	Splits      []string `json:"splits"`
	Limit       int      `json:"limit,omitempty"` // samples per split
	Taps        []Tap    `json:"taps"`            // side by side in column features
	Batch       int      `json:"batch,omitempty"` // images per inference
	Bad         []BadRow `json:"bad,omitempty"`   // images without a row, and why: the first maxListed
	BadCount    int      `json:"bad_count,omitempty"`
	// LeftOut are the dataset's bad entries, as in a Manifest: the first maxListed.
	LeftOut      []dataset.Bad `json:"left_out,omitempty"`
	LeftOutCount int           `json:"left_out_count,omitempty"`
}

// maxListed bounds what of images without a row stands in a file's footer, which readers take into memory first of all.
const maxListed = 1000

// FileInfo is what a parquet file of some taps says of itself: names of folders, so mirrored images' end in .flip.
func (m *Manifest) FileInfo(taps []Tap) FileInfo {
	return FileInfo{
		Format: FileFormat, Backbone: m.Backbone, Fingerprint: m.Dataset.Fingerprint, Classes: m.Dataset.Classes,
		Splits: m.Dataset.Splits, Limit: m.Dataset.Limit, Taps: taps, Batch: m.Batch,
		LeftOut: m.Dataset.LeftOut[:min(len(m.Dataset.LeftOut), maxListed)], LeftOutCount: len(m.Dataset.LeftOut),
	}
}

// ReadFileInfo reads what a parquet file that Export wrote says of itself, and its number of rows. A file that is not there
// gives an error that wraps os.ErrNotExist.
func ReadFileInfo(path string) (info FileInfo, rows int, err error) {
	defer func() {
		if p := recover(); p != nil { // of the parquet library, on damaged bytes
			err = fmt.Errorf("%s: malformed parquet file: %v", path, p)
		}
	}()
	f, err := regular.Open(path)
	if err != nil {
		return info, 0, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return info, 0, err
	}
	if err := parquetfile.CheckFooter(f, stat.Size()); err != nil {
		return info, 0, fmt.Errorf("%s: %w", path, err)
	}
	file, err := parquet.OpenFile(f, stat.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return info, 0, fmt.Errorf("%s: malformed parquet file: %w", path, err)
	}
	text, ok := file.Lookup(infoKey)
	if !ok {
		return info, 0, fmt.Errorf("%s: a parquet file that graft did not write: no metadata %s", path, infoKey)
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return info, 0, fmt.Errorf("%s: metadata %s: %w", path, infoKey, err)
	}
	if info.Format != FileFormat {
		return info, 0, fmt.Errorf("%s: metadata %s: format %q, want %s", path, infoKey, info.Format, FileFormat)
	}
	info.BadCount, info.LeftOutCount = max(info.BadCount, len(info.Bad)), max(info.LeftOutCount, len(info.LeftOut)) // of before they were counted
	return info, int(file.NumRows()), nil
}

// readBack compares what a file says, read by the reader of others', with what was written.
func (want FileInfo) readBack(path string, rows int) error {
	got, n, err := ReadFileInfo(path)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	a, err := json.Marshal(want)
	b, err2 := json.Marshal(got)
	if err := cmp.Or(err, err2); err != nil {
		return err
	}
	if n != rows || !bytes.Equal(a, b) {
		return fmt.Errorf("read back: %d rows and %d bytes of metadata, written were %d rows and %d bytes, or others: is the disk sound?", n, len(b), rows, len(a))
	}
	return nil
}

// exportRow is metaRow with the content's key, in hexadecimal, and features.
type exportRow struct {
	metaRow
	ContentKey string    `parquet:"content_key"` // "" in stores of before it was kept
	Features   []float32 `parquet:"features,list"`
}

type parquetSink struct {
	w   *parquet.GenericWriter[exportRow]
	dim int
}

// newParquetSink writes rows of dim features.
func newParquetSink(w io.Writer, dim int, info FileInfo) (*parquetSink, error) {
	text, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	return &parquetSink{dim: dim, w: parquet.NewGenericWriter[exportRow](w, append(parquetfile.Options(),
		parquet.KeyValueMetadata(infoKey, string(text)), parquet.KeyValueMetadata("ARROW:schema", arrowSchema(dim)))...)}, nil
}

// arrowMessage is Arrow's message of exportRow's columns, made by scripts/arrow_schema.py, with arrowLength for the length of
// the lists.
//
//go:embed arrow.schema
var arrowMessage []byte

const arrowLength = 0x7a6b5c4d

// arrowSchema tells readers by way of Arrow (pyarrow, Ray, Polars) that the lists of column features have one length, for
// which Parquet itself has no word.
func arrowSchema(dim int) string {
	var from, to [4]byte
	binary.LittleEndian.PutUint32(from[:], arrowLength)
	binary.LittleEndian.PutUint32(to[:], uint32(dim))
	return base64.StdEncoding.EncodeToString(bytes.Replace(arrowMessage, from[:], to[:], 1))
}

// write makes each shard a row group, so that readers can stream too.
func (s *parquetSink) write(rows []Row, x []float32) error {
	out := make([]exportRow, len(rows))
	for i, r := range rows {
		out[i] = exportRow{r.record(), "", x[i*s.dim : (i+1)*s.dim]}
		if r.Content.Known() {
			out[i].ContentKey = hex.EncodeToString(r.Content.Key[:])
		}
	}
	if _, err := s.w.Write(out); err != nil {
		return err
	}
	return s.w.Flush()
}

func (s *parquetSink) close() error { return s.w.Close() }

// fileInfo is what an exported file of the selection says of itself.
func (s *Store) fileInfo(sel *selection, split string) FileInfo {
	var taps []Tap
	for _, f := range sel.taps {
		taps = append(taps, Tap{Name: f.Name, Dim: f.Dim, Tensor: f.Tensor})
	}
	info := s.manifest.FileInfo(taps)
	if split != "" {
		info.Splits = []string{split}
	}
	for _, b := range s.bad {
		if split == "" || b.Split == split {
			if info.BadCount++; info.BadCount <= maxListed {
				info.Bad = append(info.Bad, b)
			}
		}
	}
	return info
}
