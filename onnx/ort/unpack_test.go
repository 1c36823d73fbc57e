package ort

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Archives cannot write outside their folder, nor through links.
func TestUnpackStaysInside(t *testing.T) {
	evil := []entry{
		{"../../lib/libevil.so", "x", false},
		{"/top/lib/libevil.so", "x", false},
		{"top/lib/../../../libevil.so", "x", false},
		{`top/lib/..\..\libevil.so`, "x", false},
		{"top/lib/libonnxruntime.so.1", "/etc/passwd", true},
		{"top/lib/libonnxruntime.so.1", "content", false},
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "evil.tgz")
	if err := os.WriteFile(path, tgz(t, evil), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := unpackRelease(path, dir)
	if err != nil || len(files) != 1 || files["libonnxruntime.so.1"] != sum([]byte("content")) {
		t.Errorf("got %v, %v; want the library alone", files, err)
	}
	for _, up := range []string{"..", filepath.Join("..", "..")} {
		entries, err := os.ReadDir(filepath.Join(dir, up))
		if err != nil || len(entries) != 1 {
			t.Errorf("above the folder: %v, %v", entries, err)
		}
	}
}

func TestUnpackZip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, content := range map[string]string{"top/lib/onnxruntime.dll": "dll", "top/lib/onnxruntime.lib": "lib", "top/LICENSE": "MIT"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := unpackRelease(path, t.TempDir())
	if err != nil || len(files) != 2 || files["onnxruntime.dll"] != sum([]byte("dll")) {
		t.Errorf("got %v, %v; want the dll and the licence", files, err)
	}
}

func FuzzUnpackRelease(f *testing.F) {
	f.Add(tarball(f, []entry{{"top/lib/libonnxruntime.so", "lib", false}, {"../lib/libevil.so", "x", false}, {"top/lib/libl.so", "/etc", true}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		top := t.TempDir()
		dir := filepath.Join(top, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(top, "a.tgz")
		if err := os.WriteFile(path, zipped(t, data), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = unpackRelease(path, dir)
		if entries, err := os.ReadDir(top); err != nil || len(entries) != 2 {
			t.Fatalf("written outside the folder: %v, %v", entries, err)
		}
	})
}
