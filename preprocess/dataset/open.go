package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// SyntheticPath is the word that opens the synthetic set.
const SyntheticPath = "synthetic"

// Open opens the set at path: a fer2013.csv or icml_face_data.csv, bare or in
// .gz, .tar, .tar.gz or .zip; an image folder or its .zip; "list:" and the path
// of a list of images, see ListPrefix; or the word "synthetic". Files are told
// by their content, not their name. progress, which may be nil, is told bytes of
// the file read or images verified, and their total.
func Open(ctx context.Context, path string, o Options, progress func(done, total int64)) (*Dataset, error) {
	d := &Dataset{Path: path}
	if err := d.open(ctx, o, progress); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dataset) open(ctx context.Context, o Options, progress func(done, total int64)) error {
	if d.Path == SyntheticPath {
		if o.FERPlus != "" {
			return errors.New("the synthetic set has no FER+ votes")
		}
		return d.openSynthetic(o)
	}
	if err := d.load(ctx, o, progress); err != nil {
		return err
	}
	if o.FERPlus != "" {
		if err := d.addVotes(o.FERPlus, o.SkipBad); err != nil {
			return err
		}
	}
	if len(d.Samples) == 0 {
		return fmt.Errorf("%s: no usable image (%d bad entries left out, %d warnings)%s", d.Path, len(d.Bad), len(d.Warnings), d.firstComplaint())
	}
	if d.Kind != KindFolder && d.Kind != KindList {
		d.warnCounts()
	}
	return nil
}

// firstComplaint explains an empty set.
func (d *Dataset) firstComplaint() string {
	switch {
	case len(d.Bad) > 0:
		return fmt.Sprintf("; first: %s: %s", d.Bad[0].Where, d.Bad[0].Reason)
	case len(d.Warnings) > 0:
		return "; first: " + d.Warnings[0]
	}
	return ""
}

// load opens a list, a folder, an archive or a CSV.
func (d *Dataset) load(ctx context.Context, o Options, progress func(done, total int64)) error {
	if path, ok := strings.CutPrefix(d.Path, ListPrefix); ok {
		return d.loadList(ctx, path, o, progress)
	}
	info, err := os.Stat(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (data is a CSV, an archive, an image folder, %sFILE or the word %s)", err, ListPrefix, SyntheticPath)
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return d.loadTree(ctx, dirTree{d.Path}, o, progress)
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	head, err := peek(f)
	if err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", d.Path, err), f.Close())
	}
	if bytes.HasPrefix(head, []byte("PK")) {
		return d.loadZip(ctx, f, info.Size(), o, progress) // keeps f, or closes it
	}
	defer f.Close()
	counted := &countingReader{ctx: ctx, r: f, total: info.Size(), progress: progress}
	return d.loadStream(ctx, f, counted, head, o)
}

// loadStream reads a CSV that may be in a tar, either or both in gzip.
func (d *Dataset) loadStream(ctx context.Context, f io.Seeker, r *countingReader, head []byte, o Options) error {
	reopen := func() (io.Reader, error) {
		r.done = 0
		_, err := f.Seek(0, io.SeekStart)
		return r, err
	}
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		plain := reopen
		reopen = func() (io.Reader, error) {
			r, err := plain()
			if err != nil {
				return nil, err
			}
			return gzip.NewReader(r)
		}
		unpacked, err := reopen()
		if err == nil {
			head, err = peek(unpacked)
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err() // a stopped stream is no damaged one
		}
		if err != nil {
			return fmt.Errorf("%s: unpack: %w (file is truncated or damaged)", d.Path, err)
		}
	}
	if isTar(head) {
		return d.loadTar(ctx, reopen, o)
	}
	stream, err := reopen()
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	return d.loadCSV(ctx, csvInput{d.Path, stream}, o.SkipBad)
}

// peek reads what is needed to tell formats apart; short files give less.
func peek(r io.Reader) ([]byte, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

func isTar(head []byte) bool {
	return len(head) >= 262 && string(head[257:262]) == "ustar"
}

// countingReader tells of the bytes read, and stops when ctx is done.
type countingReader struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}

// maxBad bounds the list of what was left out: a file with more is no data set
// with a few faults.
const maxBad = 1 << 20

// leaveOut lists something bad.
func (d *Dataset) leaveOut(where, reason string) error {
	if len(d.Bad) == maxBad {
		return fmt.Errorf("%s: more than %d bad entries; is it a data set of this kind?", d.Path, maxBad)
	}
	d.Bad = append(d.Bad, Bad{where, reason})
	return nil
}

// keep drops the samples for which good is false.
func (d *Dataset) keep(good []bool) {
	var kept []int
	for i, ok := range good {
		if ok {
			kept = append(kept, i)
		}
	}
	if len(kept) == len(good) {
		return
	}
	for to, from := range kept {
		d.Samples[to] = d.Samples[from]
		if d.rows != nil {
			d.rows[to] = d.rows[from]
		}
	}
	d.Samples = d.Samples[:len(kept)]
	if d.rows != nil {
		d.rows = d.rows[:len(kept)]
	}
	d.src.keep(kept)
}
