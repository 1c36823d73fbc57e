package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

func exported(t *testing.T, name string, o store.ExportOptions) (*store.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "e")
	newFixture(10, store.Float32, true).write(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	var last, total int64
	done, err := s.Export(context.Background(), path, o, func(d, n int64) { last, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || done.Bytes != info.Size() || done.Path != path || !strings.HasPrefix(done.String(), path+": 5 rows of 8 float32 (mean_2.flip, cls.flip)") {
		t.Errorf("it says %v, %v", done, err)
	}
	if last != total || total == 0 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	return s, path
}

func TestExport(t *testing.T) {
	o := store.ExportOptions{Taps: []string{"mean_2", "cls"}, Split: "val", Flip: true}
	for _, name := range []string{"x.npy", "x.csv", "x.parquet"} {
		t.Run(name, func(t *testing.T) {
			s, path := exported(t, name, o)
			want, err := s.Matrix(o.Taps, o.Split, o.Flip)
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			switch filepath.Ext(name) {
			case ".npy":
				got = readNPY(t, path, len(want.X))
			case ".csv":
				got = readCSV(t, path, want.Labels, want.IDs)
			case ".parquet":
				got = readParquet(t, path, want.Labels, want.IDs)
			}
			if len(got) != len(want.X) || len(want.X) != 5*want.Dim {
				t.Fatalf("%d values, want %d", len(got), len(want.X))
			}
			for i, x := range want.X {
				if got[i] != x {
					t.Fatalf("value %d: %v, want %v", i, got[i], x)
				}
			}
		})
	}
}

// readNPY reads the n float32 after the header, whose bytes TestHeaderIsNumpys checks.
func readNPY(t *testing.T, path string, n int) []float32 {
	data, err := os.ReadFile(path)
	if err != nil || len(data) != 128+4*n {
		t.Fatalf("%d bytes, %v; want a header of 128 and %d values", len(data), err, n)
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[128+4*i:]))
	}
	return x
}

func readCSV(t *testing.T, path string, labels []int, ids []string) (x []float32) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if head := strings.Join(recs[0], " "); head != "index id split label label_name mean_2.flip_0 mean_2.flip_1 mean_2.flip_2 cls.flip_0 cls.flip_1 cls.flip_2 cls.flip_3 cls.flip_4" {
		t.Errorf("columns %s", head)
	}
	for i, r := range recs[1:] {
		if r[1] != ids[i] || r[3] != strconv.Itoa(labels[i]) {
			t.Errorf("row %d is %v, want %s with label %d", i, r[:5], ids[i], labels[i])
		}
		for _, w := range r[5:] {
			v, err := strconv.ParseFloat(w, 32)
			if err != nil {
				t.Fatal(err)
			}
			x = append(x, float32(v))
		}
	}
	return x
}

func readParquet(t *testing.T, path string, labels []int, ids []string) (x []float32) {
	type row struct {
		ID       string    `parquet:"id"`
		Label    int32     `parquet:"label"`
		Features []float32 `parquet:"features,list"`
	}
	rows, err := parquet.ReadFile[row](path)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if r.ID != ids[i] || int(r.Label) != labels[i] {
			t.Errorf("row %d is %s with label %d, want %s with %d", i, r.ID, r.Label, ids[i], labels[i])
		}
		x = append(x, r.Features...)
	}
	return x
}

// TestExportedSchema: what tells Arrow of lists of one length is what pyarrow writes of such lists (scripts/arrow_schema.py).
func TestExportedSchema(t *testing.T) {
	_, path := exported(t, "x.parquet", store.ExportOptions{Taps: []string{"mean_2", "cls"}, Split: "val", Flip: true})
	want, err := os.ReadFile("testdata/arrow_8.schema")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := f.Lookup("ARROW:schema"); got != base64.StdEncoding.EncodeToString(want) {
		t.Errorf("metadata ARROW:schema is %q, want %q in base64", got, want)
	}
	info, rows, err := store.ReadFileInfo(path)
	if err != nil || rows != 5 || len(info.Taps) != 2 || info.Taps[0].Name != "mean_2.flip" || info.Splits[0] != "val" {
		t.Errorf("it says %+v of %d rows, %v", info, rows, err)
	}
	if _, _, err := store.ReadFileInfo("testdata/arrow_8.schema"); err == nil || !strings.Contains(err.Error(), "arrow_8.schema") {
		t.Errorf("another file: %v", err)
	}
}

// TestExportedFooter: of many images without a row a file lists the first thousand and counts all, and what its reader would
// not take is no file.
func TestExportedFooter(t *testing.T) {
	f := newFixture(10, store.Float32, false)
	f.m.Dataset.LeftOut = slices.Repeat([]dataset.Bad{{Where: "row", Reason: "no image"}}, 1500)
	dir := filepath.Join(t.TempDir(), "e")
	f.write(t, dir, 3)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x.parquet")
	if _, err := s.Export(t.Context(), path, store.ExportOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	if info, rows, err := store.ReadFileInfo(path); err != nil || rows != 9 || len(info.LeftOut) != 1000 || info.LeftOutCount != 1500 || len(info.Bad) != 1 || info.BadCount != 1 {
		t.Errorf("%d rows, %d of %d left out, %d of %d bad, %v", rows, len(info.LeftOut), info.LeftOutCount, len(info.Bad), info.BadCount, err)
	}
	s.SetClasses(strings.Repeat("x", 17<<20))
	path = filepath.Join(dir, "y.parquet")
	if _, err := s.Export(t.Context(), path, store.ExportOptions{}, nil); err == nil || !strings.Contains(err.Error(), "read back") {
		t.Errorf("a footer of 17 MiB: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is there nevertheless")
	}
}

func TestExportRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "e")
	newFixture(10, store.Float32, false).write(t, dir)
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if _, err := s.Export(context.Background(), filepath.Join(out, "x.json"), store.ExportOptions{}, nil); err == nil || !strings.Contains(err.Error(), ".parquet") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Export(ctx, filepath.Join(out, "x.npy"), store.ExportOptions{}, nil); err == nil {
		t.Error("a cancelled export succeeded")
	}
	if left := files(t, out); len(left) != 0 {
		t.Errorf("left %d files", len(left))
	}
}

// A file that is there is somebody's: it is replaced where that is said alone.
func TestExportDoesNotOverwrite(t *testing.T) {
	o := store.ExportOptions{Taps: []string{"mean_2", "cls"}, Split: "val", Flip: true}
	s, path := exported(t, "x.npy", o)
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := s.Export(t.Context(), path, o, nil)
	if data, _ := os.ReadFile(path); err == nil || !strings.Contains(err.Error(), "--force") || string(data) != "mine" {
		t.Errorf("%v, and the file holds %.20q", err, data)
	}
	o.Force = true
	done, err := s.Export(t.Context(), path, o, nil)
	if info, _ := os.Stat(path); err != nil || info.Size() != done.Bytes {
		t.Errorf("%v after %v", done, err)
	}
}
