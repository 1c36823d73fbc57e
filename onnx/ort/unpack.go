package ort

import (
	"archive/tar"
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"graft/internal/filehash"
)

// maxUnpackedBytes bounds what an archive may unpack to: the CUDA build has
// about 1 GB.
const maxUnpackedBytes = 4 << 30

// walk calls visit for every regular file of a .tgz or .zip archive, in order.
// Links, folders and devices are passed over: nothing outside the files
// themselves can be reached through an archive.
func walk(archive string, visit func(name string, r io.Reader) error) error {
	if kind, err := archiveKind(archive); err == nil && kind == "zip" {
		return walkZip(archive, visit)
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	t := tar.NewReader(gz)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := visit(h.Name, t); err != nil {
				return err
			}
		}
	}
}

// archiveKind is zip or gzip by a file's first bytes, else "".
func archiveKind(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 2)
	_, err = io.ReadFull(f, head)
	return map[string]string{"PK": "zip", "\x1f\x8b": "gzip"}[string(head)], err
}

func walkZip(archive string, visit func(name string, r io.Reader) error) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		if err := errors.Join(visit(f.Name, r), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// unpackRelease takes the libraries and the licence out of an official archive,
// whose layout is TOP/lib/LIBRARY and TOP/LICENSE. It returns their hashes.
func unpackRelease(archive, dir string) (map[string]string, error) {
	files, err := unpack(archive, dir, wantedRelease)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if isLibraryName(name) && strings.Contains(name, "onnxruntime") {
			return files, nil
		}
	}
	return nil, errors.New("no ONNX Runtime library in it")
}

// releaseSums are the hashes of what unpackRelease takes out of an archive.
func releaseSums(archive string) (map[string]string, error) {
	sums := map[string]string{}
	return sums, walk(archive, func(name string, r io.Reader) (err error) {
		if base, ok := wantedRelease(name); ok {
			sums[base], err = filehash.Reader(r)
		}
		return err
	})
}

// unpack writes the files that wanted gives a bare name to into dir, and returns
// their hashes by that.
func unpack(archive, dir string, wanted func(name string) (string, bool)) (map[string]string, error) {
	files := map[string]string{}
	left := int64(maxUnpackedBytes)
	return files, walk(archive, func(name string, r io.Reader) error {
		base, ok := wanted(name)
		if !ok {
			return nil
		}
		if _, twice := files[base]; twice {
			return fmt.Errorf("%s: a second file %s", name, base)
		}
		sum, n, err := writeMember(filepath.Join(dir, base), r, left)
		left -= n
		files[base] = sum
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// wantedRelease returns the bare name of a file to take.
func wantedRelease(name string) (string, bool) {
	parts := strings.Split(path.Clean(name), "/")
	base := parts[len(parts)-1]
	switch {
	case !fs.ValidPath(path.Clean(name)) || strings.ContainsAny(base, `\:`):
		return "", false
	case len(parts) == 2 && (base == "LICENSE" || base == "ThirdPartyNotices.txt"):
		return base, true
	case len(parts) != 3 || parts[1] != "lib":
		return "", false
	}
	library := strings.Contains(base, ".so") || strings.HasSuffix(base, ".dylib") || strings.HasSuffix(base, ".dll")
	return base, library
}

// writeMember writes r to path, at most limit bytes, and returns its SHA-256.
func writeMember(path string, r io.Reader, limit int64) (sum string, n int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	n, err = io.Copy(io.MultiWriter(f, h), io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the archive unpacks to more than %d bytes", int64(maxUnpackedBytes))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// unpackMembers takes the members with their pinned hashes out of a package.
func unpackMembers(archive, dir string, want []member) (map[string]string, error) {
	files, err := unpack(archive, dir, func(name string) (string, bool) {
		return path.Base(name), slices.ContainsFunc(want, func(m member) bool { return m.path == name })
	})
	if err != nil {
		return nil, err
	}
	for _, m := range want {
		switch sum := files[path.Base(m.path)]; sum {
		case m.sha256:
		case "":
			return nil, fmt.Errorf("%s is missing", m.path)
		default:
			return nil, fmt.Errorf("%s: SHA-256 %s, want %s: not the file that graft was tested with", m.path, sum, m.sha256)
		}
	}
	return files, nil
}
