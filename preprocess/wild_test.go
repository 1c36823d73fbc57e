package preprocess_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
)

// Formats that lose may differ from PIL in so many steps of 255, and in so many of
// their bytes: the cosine transforms round differently. All others give the same bytes.
const (
	lossy      = 3
	lossyShare = 0.1
)

// isLossy tells the fixtures that went through a cosine transform.
func isLossy(name string) bool {
	return strings.HasSuffix(name, ".jpg") && name != "png_inside.jpg" || strings.Contains(name, "lossy")
}

// Every kind of file met in the wild gives PIL's pixels.
func TestDecodeWildAgainstPIL(t *testing.T) {
	files := wildFiles(t)
	for name, data := range files {
		im, err := preprocess.Decode(t.Context(), strings.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := im.Pix
		if im.C == 1 {
			got = slices.Concat(got, got, got)
		}
		want := readBytes(t, filepath.Join("wild", name+".u8"), 3*im.H*im.W)
		most, others := 0.0, 0
		if isLossy(name) {
			most = lossy
		}
		for i, v := range want {
			if v != got[i] {
				others++
			}
		}
		if d := maxDiff(got, want); !(d <= most) || float64(others) > lossyShare*float64(len(want)) {
			t.Errorf("%s: [%d,%d,%d] differs from PIL by %g in %d of %d bytes, want at most %g", name, im.C, im.H, im.W, d, others, len(want), most)
		}
	}
}

// wildFiles reads the fixtures of scripts/fixtures_images.py.
func wildFiles(t testing.TB) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", "wild"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".u8") {
			continue
		}
		data, err := os.ReadFile(filepath.Join("testdata", "wild", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	if len(files) < 40 {
		t.Fatalf("%d fixtures of files in the wild", len(files))
	}
	return files
}

// What Go's decoder misreads is refused by its name and with a way out.
func TestProgressiveRestarts(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "progressive_restarts.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = preprocess.Decode(t.Context(), bytes.NewReader(data))
	if !errors.As(err, new(*preprocess.BadImageError)) || !strings.Contains(err.Error(), "progressive JPEG of subsampled colours with restart markers") || !strings.Contains(err.Error(), "jpegtran") {
		t.Errorf("got %v", err)
	}
}
