package dataset

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strings"
)

// maxMembers bounds the members looked at in an archive or folder.
const maxMembers = 8 << 20

// csvNames are the names under which FER2013's CSV is published; an archive's
// member of that name wins over other CSV files beside it.
var csvNames = []string{"fer2013.csv", "icml_face_data.csv"}

// isCSV tells whether a member is a CSV, and whether it bears a known name.
// Resource forks, which macOS packs beside every file, are none.
func isCSV(name string) (csv, known bool) {
	base := strings.ToLower(path.Base(name))
	if strings.HasPrefix(base, ".") || !strings.HasSuffix(base, ".csv") {
		return false, false
	}
	return true, slices.Contains(csvNames, base)
}

// loadTar streams to the CSV in a tar. One without a known name is taken only once
// it is clear that it is the only one.
func (d *Dataset) loadTar(ctx context.Context, in *input) error {
	var only []string
	accept := func(name string) bool {
		csv, known := isCSV(name)
		if csv {
			only = append(only, name)
		}
		return known
	}
	found, err := d.loadTarMember(ctx, in, accept)
	if found || err != nil {
		return err
	}
	if len(only) != 1 {
		return d.noCSV(only)
	}
	_, err = d.loadTarMember(ctx, in, func(name string) bool { return name == only[0] })
	return err
}

// noCSV is the error about an archive without exactly one CSV.
func (d *Dataset) noCSV(csvs []string) error {
	if len(csvs) == 0 {
		return fmt.Errorf("%s: archive holds no CSV; unpack archives of images, or pack them as .zip", d.Path)
	}
	return fmt.Errorf("%s: archive holds %d CSV files (%s, …) but no %s; unpack it and give the right one", d.Path, len(csvs), csvs[0], csvNames[0])
}

// loadTarMember loads the first regular member that accept takes. Links are
// no members.
func (d *Dataset) loadTarMember(ctx context.Context, in *input, accept func(name string) bool) (bool, error) {
	stream, err := in.stream(ctx)
	if err != nil {
		return false, fmt.Errorf("%s: unpack: %w", d.Path, err)
	}
	stream = &cappedReader{r: stream, left: maxCSVBytes}
	t := tar.NewReader(stream)
	for range maxMembers {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, fmt.Errorf("%s: unpack: %w (archive is truncated or damaged)", d.Path, err)
		}
		if h.Typeflag != tar.TypeReg || !accept(h.Name) {
			continue
		}
		// The rest is read too: gzip's checksum stands at its end.
		return true, d.loadCSV(ctx, d.Path+": "+h.Name, io.MultiReader(t, &drain{stream}))
	}
	return false, fmt.Errorf("%s: archive has more than %d members", d.Path, maxMembers)
}

// drain reads r to its end and gives nothing, but fails as r does.
type drain struct{ r io.Reader }

func (d *drain) Read([]byte) (int, error) {
	if _, err := io.Copy(io.Discard, d.r); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// cappedReader fails after left bytes: an archive can unpack to more than any
// disk holds.
type cappedReader struct {
	r    io.Reader
	left int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("archive unpacks to more than %d bytes", int64(maxCSVBytes))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// loadZip reads the CSV in a .zip.
func (d *Dataset) loadZip(ctx context.Context, in *input) error {
	member, csvs := findCSV(in.zip.File)
	if member == nil && len(csvs) == 1 {
		member = csvs[0]
	}
	if member == nil {
		var names []string
		for _, m := range csvs {
			names = append(names, m.Name)
		}
		return d.noCSV(names)
	}
	r, err := openMember(member)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", d.Path, member.Name, err)
	}
	defer r.Close()
	counted := &countingReader{ctx: ctx, r: r, total: int64(member.UncompressedSize64), progress: in.progress}
	return d.loadCSV(ctx, d.Path+": "+member.Name, counted)
}

// findCSV returns the member with a known name, or nil, and all CSV files.
func findCSV(files []*zip.File) (known *zip.File, all []*zip.File) {
	for _, m := range files {
		if !m.Mode().IsRegular() {
			continue
		}
		csv, isKnown := isCSV(m.Name)
		if isKnown {
			return m, nil
		}
		if csv {
			all = append(all, m)
		}
	}
	return nil, all
}

var errEncrypted = errors.New("member is encrypted; unpack the archive first")

func openMember(m *zip.File) (io.ReadCloser, error) {
	if m.Flags&1 != 0 {
		return nil, errEncrypted
	}
	return m.Open()
}

// zipTree is the members of a .zip as a tree of images.
type zipTree struct {
	f *os.File
	z *zip.Reader
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
// the archive are returned with an error for each; nothing is ever unpacked to
// disk, but such an archive is not to be trusted.
func (t *zipTree) entries(context.Context) (list []entry, outside []string, err error) {
	for _, m := range t.z.File {
		name := strings.TrimSuffix(strings.ReplaceAll(m.Name, `\`, "/"), "/")
		mode := m.Mode()
		switch {
		case !fs.ValidPath(name):
			outside = append(outside, m.Name)
		case mode.IsDir(), strings.HasSuffix(m.Name, "/"):
			list = append(list, entry{name: name, dir: true})
		case mode.IsRegular():
			list = append(list, entry{name: name, member: m})
		}
	}
	return list, outside, nil
}
