package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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

// csv is the tree's CSV to read, and those that are not: of several without a known name
// the one that is called train.
func (in *input) csv() (e entry, others []string, err error) {
	var all, train []entry
	for _, e := range in.list {
		csv, known := isCSV(e.name)
		switch {
		case e.dir || !csv:
			continue
		case known:
			return e, nil, nil
		}
		if all = append(all, e); nameIsTrain(e.name) {
			train = append(train, e)
		}
	}
	switch {
	case len(all) == 0:
		return e, nil, fmt.Errorf("%s: holds no CSV and no images%s", in.Path, in.found())
	case len(all) == 1:
		return all[0], nil, nil
	case len(train) != 1:
		return e, nil, fmt.Errorf("%s: holds %d CSV files (%s, …) but no %s; give the right one by itself", in.Path, len(all), all[0].name, csvNames[0])
	}
	for _, e := range all {
		if e != train[0] {
			others = append(others, e.name)
		}
	}
	return train[0], others, nil
}

func nameIsTrain(name string) bool {
	split, _, _ := splitOf(path.Base(name))
	return split == Train
}

// found says what a tree holds instead of what was wanted.
func (in *input) found() string {
	endings := map[string]int{}
	for _, e := range in.list {
		if !e.dir && !isHidden(e.name) {
			endings[cmp.Or(strings.ToLower(path.Ext(e.name)), "no ending")]++
		}
	}
	if len(endings) == 0 {
		return "; it is empty"
	}
	return "; its files end in " + shorten(slices.Sorted(maps.Keys(endings)))
}

// loadMember reads the CSV e of the tree.
func (d *Dataset) loadMember(ctx context.Context, in *input, e entry) error {
	if _, is := in.tree.(*tarTree); is {
		return d.loadTarMember(ctx, in, e)
	}
	var r io.ReadCloser
	var err error
	size := int64(0)
	if dir, is := in.tree.(dirTree); is {
		f, errOpen := openRegular(dir.path(e))
		r, err = f, errOpen
	} else {
		r, err = openMember(e.member)
		size = int64(e.member.UncompressedSize64)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", d.Path, e.name, err)
	}
	defer r.Close()
	return d.loadCSV(ctx, d.Path+": "+e.name, &countingReader{ctx: ctx, r: r, total: size, progress: in.progress})
}

// loadTarMember streams to the CSV e in a tar.
func (d *Dataset) loadTarMember(ctx context.Context, in *input, e entry) error {
	stream, err := in.stream(ctx)
	if err != nil {
		return fmt.Errorf("%s: unpack: %w", d.Path, err)
	}
	stream = &cappedReader{r: stream, left: maxCSVBytes}
	if _, err := io.CopyN(io.Discard, stream, e.at); err != nil {
		return fmt.Errorf("%s: unpack: %w (archive is truncated or damaged)", d.Path, err)
	}
	// The rest is read too: gzip's checksum stands at its end.
	return d.loadCSV(ctx, d.Path+": "+e.name, io.MultiReader(&cut{stream, e.size}, &drain{stream}))
}

// cut is the next left bytes of r, which have to be there.
type cut struct {
	r    io.Reader
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if errors.Is(err, io.EOF) && c.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
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
