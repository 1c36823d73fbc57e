package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"graft/preprocess"
)

// testRow is one row of a CSV in the making.
type testRow struct {
	label  int
	usage  string
	pixels []uint8
}

// testRows are n rows of noise with labels and usages in turn.
func testRows(seed uint64, n int) []testRow {
	r := rand.New(rand.NewPCG(seed, 1))
	rows := make([]testRow, n)
	for i := range rows {
		px := make([]uint8, ferPixels)
		top := []uint32{256, 100, 10}[i%3] // numbers of three, two and one digits prevail
		for k := range px {
			px[k] = uint8(r.Uint32N(top))
		}
		rows[i] = testRow{i % len(FERClasses), ferUsages[i%5%3], px}
	}
	return rows
}

func joinPixels(px []uint8, sep string) string {
	var b strings.Builder
	for i, v := range px {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(strconv.Itoa(int(v)))
	}
	return b.String()
}

// csvText is the published form.
func csvText(rows []testRow) string {
	var b strings.Builder
	b.WriteString("emotion,pixels,Usage\n")
	for _, r := range rows {
		b.WriteString(strconv.Itoa(r.label) + "," + joinPixels(r.pixels, " ") + "," + r.usage + "\n")
	}
	return b.String()
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// member is a file of an archive; a link if target is set.
type member struct{ name, data, target string }

func tarred(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Size: int64(len(m.data)), Mode: 0o644, Typeflag: tar.TypeReg, Linkname: m.target}
		switch {
		case m.target != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(m.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.target != "" {
			h.SetMode(os.ModeSymlink | 0o777)
			m.data = m.target
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(m.name, "/") {
			continue
		}
		if _, err := f.Write([]byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngText is an image of noise as a PNG file.
func pngText(t testing.TB, seed uint64, c, h, w int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	im := preprocess.New(c, h, w)
	for i := range im.Pix {
		im.Pix[i] = uint8(r.Uint32())
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im.ToImage()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// unpack lays members out as a folder.
func unpack(t testing.TB, members ...member) string {
	t.Helper()
	root := t.TempDir()
	for _, m := range members {
		path := filepath.Join(root, filepath.FromSlash(m.name))
		if strings.HasSuffix(m.name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(m.data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// mustOpen opens a set that is closed with the test.
func mustOpen(t testing.TB, path string, r Ref) *Dataset {
	t.Helper()
	r.Path = path
	d, err := Open(context.Background(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func fingerprint(t testing.TB, d *Dataset) string {
	t.Helper()
	f, err := d.Fingerprint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// checkRows compares a set with the rows it was made from.
func checkRows(t testing.TB, d *Dataset, rows []testRow) {
	t.Helper()
	if len(d.Samples) != len(rows) {
		t.Fatalf("%d samples, want %d", len(d.Samples), len(rows))
	}
	for i, r := range rows {
		s := d.Samples[i]
		if s.Label != r.label || ferUsages[ferSplit(s.Split)] != r.usage {
			t.Fatalf("sample %d is %+v, want label %d, usage %s", i, s, r.label, r.usage)
		}
		im, err := d.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if im.C != 1 || im.H != ferSide || im.W != ferSide || !bytes.Equal(im.Pix, r.pixels) {
			t.Fatalf("sample %d: pixels differ", i)
		}
	}
}

// wantError checks that err names all of words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}
