package dataset

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/klauspost/compress/flate"
)

// zipTree is the members of a .zip as a tree.
type zipTree struct {
	f *os.File
	z *zip.Reader
}

// openZip takes f over where there is no error.
func openZip(f *os.File, size int64) (*zipTree, error) {
	z, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("%w (archive is truncated or damaged)", err)
	}
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("archive has more than %d members", maxMembers)
	}
	z.RegisterDecompressor(zip.Deflate, flate.NewReader)
	return &zipTree{f, z}, nil
}

func (t *zipTree) Close() error { return t.f.Close() }

func (t *zipTree) open(e entry) (io.ReadCloser, error) {
	if _, err := t.size(e); err != nil {
		return nil, err
	}
	r, err := openMember(e.member)
	if err != nil {
		return nil, memberFault(err)
	}
	return memberReader{r}, nil
}

func (t *zipTree) size(e entry) (int64, error) {
	n := int64(min(e.member.UncompressedSize64, math.MaxInt64))
	return n, checkLength(n)
}

// entries lists regular files and folders. Members whose name points outside
// the archive are returned as faults; nothing is ever unpacked to disk, but such an
// archive is not to be trusted.
func (t *zipTree) entries(context.Context) (list []entry, faults []Bad, err error) {
	for _, m := range t.z.File {
		name, ok := inside(m.Name)
		mode := m.Mode()
		switch {
		case !ok:
			faults = append(faults, outside(m.Name))
		case name == "":
		case mode.IsDir(), strings.HasSuffix(m.Name, "/"):
			list = append(list, entry{name: name, dir: true})
		case mode.IsRegular():
			list = append(list, entry{name: name, member: m})
		}
	}
	return list, faults, nil
}

// inside is a member's name below the archive's root, whatever it starts with: ./ and
// / as some packers write; false where it leads out of the archive.
func inside(name string) (string, bool) {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		switch part {
		case "", ".":
		case "..":
			return "", false
		default:
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/"), true
}

func outside(name string) Bad { return Bad{name, "name points outside the archive"} }

var errEncrypted = errors.New("member is encrypted; unpack the archive first")

func openMember(m *zip.File) (io.ReadCloser, error) {
	if m.Flags&1 != 0 {
		return nil, errEncrypted
	}
	return m.Open()
}
