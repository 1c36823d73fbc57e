package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// tarTree is the members of a .tar as a tree, read by offset: of the file, or of what a
// .tar.gz unpacks to, which lies in a temporary file from the first member's opening on.
type tarTree struct {
	f    *os.File
	gzip bool

	unpack   sync.Once
	unpacked *os.File
	err      error
	remove   func() error
}

func (t *tarTree) Close() error {
	err := t.f.Close()
	if t.remove != nil {
		err = errors.Join(err, t.remove())
	}
	return err
}

// entries reads the headers alone where the file is plain. The listing ends with a CSV
// of a known name: in a .tar.gz what follows would be unpacked for nothing.
func (t *tarTree) entries(ctx context.Context) (list []entry, faults []Bad, err error) {
	var packed io.Reader = t.f
	if t.gzip {
		packed = &countingReader{ctx: ctx, r: t.f} // headers are far apart
	}
	from, err := rewound(t.f, packed, t.gzip)
	if err != nil {
		return nil, nil, fmt.Errorf("unpack: %w", err)
	}
	at := func() (int64, error) { return t.f.Seek(0, io.SeekCurrent) }
	if t.gzip {
		c := &cappedReader{r: from, left: maxCSVBytes}
		from, at = c, func() (int64, error) { return maxCSVBytes - c.left, nil }
	}
	members := tar.NewReader(from)
	for range maxMembers {
		h, err := members.Next()
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return list, faults, ctx.Err()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("unpack: %w (archive is truncated or damaged)", err)
		}
		e, fault := tarEntry(h)
		if e.at, err = at(); err != nil {
			return nil, nil, err
		}
		switch {
		case fault != nil:
			faults = append(faults, *fault)
		case e.name != "":
			list = append(list, e)
		}
		if _, known := isCSV(e.name); known && !e.dir {
			return list, faults, nil
		}
	}
	return nil, nil, fmt.Errorf("archive has more than %d members", maxMembers)
}

// tarEntry is a regular file or folder; links and what else there is are none, and
// have no name.
func tarEntry(h *tar.Header) (e entry, fault *Bad) {
	name, ok := inside(h.Name)
	switch {
	case !ok:
		out := outside(h.Name)
		return e, &out
	case h.Typeflag == tar.TypeDir:
		return entry{name: name, dir: true}, nil
	case h.Typeflag == tar.TypeGNUSparse, h.PAXRecords["GNU.sparse.major"] != "", h.PAXRecords["GNU.sparse.map"] != "":
		return e, &Bad{h.Name, "sparse members are not read; pack without --sparse"}
	case h.Typeflag == tar.TypeReg:
		return entry{name: name, size: h.Size}, nil
	}
	return e, nil
}

func (t *tarTree) open(e entry) (io.ReadCloser, error) {
	if _, err := t.size(e); err != nil {
		return nil, err
	}
	f, err := t.plain()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(f, e.at, e.size)), nil
}

func (t *tarTree) size(e entry) (int64, error) { return e.size, checkLength(e.size) }

// plain is the file to read members of.
func (t *tarTree) plain() (*os.File, error) {
	if !t.gzip {
		return t.f, nil
	}
	t.unpack.Do(func() {
		var from io.Reader
		if from, t.err = rewound(t.f, t.f, t.gzip); t.err != nil {
			return
		}
		if t.unpacked, t.remove, t.err = tempFile(); t.err != nil {
			return
		}
		_, t.err = io.Copy(t.unpacked, &cappedReader{r: from, left: maxCSVBytes})
	})
	if t.err != nil {
		return nil, fmt.Errorf("unpack to the disk: %w (set TMPDIR to a folder with room, or unpack the archive)", t.err)
	}
	return t.unpacked, nil
}
