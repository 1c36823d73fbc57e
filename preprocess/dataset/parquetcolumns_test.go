package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/internal/parquetfile"
)

// bytesRow and pathRow are what engines hand over in parts: bytes or paths of images, with what else is known of them.
type bytesRow struct {
	ID    int64  `parquet:"id"`
	Image []byte `parquet:"image"`
	Split string `parquet:"split"`
	Label string `parquet:"label"`
}

type pathRow struct {
	ID   string `parquet:"id"`
	Path string `parquet:"path"`
}

func parquetOf[T any](t *testing.T, path string, rows ...T) string {
	t.Helper()
	var file bytes.Buffer
	if err := parquetfile.Write(&file, rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestParquetKeepsIDsAndSplits: what columns say of rows is what the set says of samples.
func TestParquetKeepsIDsAndSplits(t *testing.T) {
	dir := t.TempDir()
	png := []byte(pngText(t, 1, 1, 4, 5))
	d := mustOpen(t, parquetOf(t, filepath.Join(dir, "part.parquet"),
		bytesRow{17, png, "test", "cat"}, bytesRow{4, png, "Training", "dog"}), Ref{Verify: true})
	if s := d.Samples; s[0].ID != "17" || s[0].Split != Test || s[1].ID != "4" || s[1].Split != Train {
		t.Errorf("samples %+v", s)
	}
	if !slices.Equal(d.Splits, []string{Train, Test}) {
		t.Errorf("splits %v", d.Splits)
	}
	d = mustOpen(t, parquetOf(t, filepath.Join(dir, "other.parquet"), bytesRow{1, png, "left", "cat"}), Ref{Unsplit: true})
	if len(d.Warnings) == 0 || !strings.Contains(d.Warnings[0], `"left" is no split`) || d.Samples[0].Split != Train {
		t.Errorf("warnings %v, samples %+v", d.Warnings, d.Samples)
	}
}

// TestParquetOfPaths: paths start at the file's folder; inside an archive there is none.
func TestParquetOfPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "set", "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	png := pngText(t, 1, 1, 4, 5)
	image := filepath.Join(dir, "set", "images", "a.png")
	if err := os.WriteFile(image, []byte(png), 0o644); err != nil {
		t.Fatal(err)
	}
	file := parquetOf(t, filepath.Join(dir, "set", "part.parquet"), pathRow{"", "images/a.png"}, pathRow{"b", image}, pathRow{"", "gone.png"})
	d := mustOpen(t, file, Ref{Unsplit: true})
	if d.Samples[0].ID != "images/a.png" || d.Samples[1].ID != "b" || !d.Photos() {
		t.Errorf("samples %+v", d.Samples)
	}
	one, err := d.Image(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := d.Image(t.Context(), 1); err != nil || !bytes.Equal(one.Pix, two.Pix) {
		t.Errorf("the same file by two paths: %v", err)
	}
	_, err = d.Image(t.Context(), 2)
	wantError(t, err, "gone.png", "file not found")
	latin := "images/caf\xe9.png" // in Latin-1
	if err := os.WriteFile(filepath.Join(dir, "set", latin), []byte(png), 0o644); err != nil {
		t.Logf("SKIPPED: this system names no file so: %v", err)
	} else if d = mustOpen(t, parquetOf(t, filepath.Join(dir, "set", "latin.parquet"), pathRow{"", latin}), Ref{Unsplit: true}); d.Samples[0].ID != "images/caf?.png" {
		t.Errorf("samples %+v", d.Samples)
	} else if _, err := d.Image(t.Context(), 0); err != nil {
		t.Error(err)
	}
	d = mustOpen(t, parquetOf(t, filepath.Join(dir, "set", "none.parquet"), pathRow{"", "images/a.png"}, pathRow{"", ""}), Ref{Unsplit: true})
	_, err = d.Image(t.Context(), 1)
	wantError(t, err, "none/000001", "the row has no path of an image")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inAllPackings(t, []member{{name: "set/part.parquet", data: string(data)}}, func(t *testing.T, path string) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return
		}
		_, err := Open(t.Context(), Ref{Path: path, Unsplit: true}, nil)
		wantError(t, err, "part.parquet", "unpack it first")
	})
}

// TestFingerprintOfPaths: of more images than are looked at their paths count, whatever their rows are called.
func TestFingerprintOfPaths(t *testing.T) {
	var prints []string
	for _, path := range []string{"a.png", "b.png"} {
		d := mustOpen(t, parquetOf(t, filepath.Join(t.TempDir(), "part.parquet"), pathRow{"x", path}), Ref{Unsplit: true})
		d.Samples = slices.Repeat(d.Samples, maxSized+1)
		src := d.src.(*parquetSource)
		src.at = slices.Repeat(src.at, maxSized+1)
		print, err := d.Fingerprint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		prints = append(prints, print)
	}
	if prints[0] == prints[1] {
		t.Error("another path, and the same fingerprint")
	}
}
