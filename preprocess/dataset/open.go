package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/gzip"

	"graft/internal/plural"
	"graft/internal/regular"
)

// form is a way in which data sets are found. What depends on it is in its file.
type form interface {
	// sniff tells whether the input is of this form.
	sniff(in *input) bool
	// open fills d: its kind, classes, splits, samples and their source.
	open(ctx context.Context, d *Dataset, in *input) error
	// fingerprint writes to h what decides the pixels of d's samples.
	fingerprint(ctx context.Context, d *Dataset, h hash.Hash) error
}

// forms are asked in this order. The last takes what no other does, and says what
// is wrong with it.
var forms = []form{syntheticForm{}, listForm{}, npyForm{}, parquetForm{}, shardForm{}, treeForm{}, csvForm{}}

// Open opens the set that ref names: a file, an archive or a folder of one of the forms;
// "list:" and the path of a list of images, see ListPrefix; or the word of a set
// that is drawn. Files are told by their content, not their name. A set without splits is
// split by Ref.SplitShares, for which all its images are decoded. progress, which may be
// nil, is told bytes of the file read or images decoded, and their total.
func Open(ctx context.Context, ref Ref, progress func(done, total int64)) (*Dataset, error) {
	d := &Dataset{ref: ref, Path: ref.Path, GroupBy: ref.GroupBy, skipBad: ref.SkipBad}
	if err := d.open(ctx, ref, progress); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dataset) open(ctx context.Context, ref Ref, progress func(done, total int64)) error {
	in := &input{Ref: ref, progress: progress}
	defer in.close()
	if err := in.look(ctx); err != nil {
		return err
	}
	d.form = forms[slices.IndexFunc(forms, func(f form) bool { return f.sniff(in) })]
	if err := d.form.open(ctx, d, in); err != nil {
		return err
	}
	if err := d.nameGroups(ref); err != nil {
		return err
	}
	share, err := d.wantsShares(ref)
	if err != nil {
		return err
	}
	if verify := ref.Verify && d.Photos(); verify || share {
		contents, err := d.look(ctx, verify, progress)
		if err != nil {
			return err
		}
		if share {
			err = d.share(ref, contents)
		}
		if err != nil {
			return err
		}
	}
	if ref.FERPlus != "" {
		if err := d.addVotes(ref.FERPlus); err != nil {
			return err
		}
	}
	if len(d.Samples) == 0 {
		return fmt.Errorf("%s: no usable image (%s left out, %s)%s", d.Path, plural.Of(len(d.Bad), "bad entry"), plural.Of(len(d.Warnings), "warning"), d.firstComplaint())
	}
	d.warnCounts()
	d.warnClasses()
	return nil
}

// warnClasses tells of classes that nothing can be learnt about.
func (d *Dataset) warnClasses() {
	if len(d.Classes) == 1 && d.Classes[0] != unlabelled {
		d.warn("%s: %s is the only class: there is nothing to tell it from", d.Path, d.Classes[0])
		return
	}
	trained := make([]bool, len(d.Classes))
	train := slices.Contains(d.Splits, Train)
	for _, s := range d.Samples {
		trained[s.Label] = trained[s.Label] || s.Split == Train
	}
	for i, c := range d.Classes {
		if train && !trained[i] && d.published == nil && d.Photos() {
			d.warn("%s: class %s has no training images", d.Path, c)
		}
	}
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

// input is what a Ref names, looked at once for all forms.
type input struct {
	Ref
	info     fs.FileInfo // nil after a word, as all that follows
	file     *os.File    // nil for a folder
	head     []byte      // the file's beginning, unpacked from gzip
	gzip     bool
	tree     tree // of a folder or an archive, nil for other files
	list     []entry
	faults   []Bad // of the list
	progress func(done, total int64)
}

// look opens the file, unless a word says what it is.
func (in *input) look(ctx context.Context) (err error) {
	word, path := in.cut()
	if word != "" {
		return nil
	}
	if in.info, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (data is a CSV, an archive, an image folder, %sFILE, or the word %s or %s)", err, ListPrefix, SyntheticPath, ThingsPath)
	}
	switch {
	case err != nil:
		return err
	case in.info.IsDir():
		in.tree = dirTree{path}
	case !in.info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file but %s", path, regular.Kind(in.info.Mode()))
	default:
		if err := in.lookFile(ctx, path); err != nil {
			return err
		}
	}
	if in.tree == nil {
		return nil
	}
	if in.list, in.faults, err = in.tree.entries(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return err
}

// lookFile opens the file, and the tree of an archive.
func (in *input) lookFile(ctx context.Context, path string) (err error) {
	if in.file, err = os.Open(path); err != nil {
		return err
	}
	if in.head, err = peek(in.file); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	switch {
	case bytes.HasPrefix(in.head, []byte("PK")):
		z, err := openZip(in.file, in.info.Size())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		in.tree = z
		return nil
	case bytes.HasPrefix(in.head, gzipMagic):
		in.gzip = true
		var stream io.Reader
		if stream, err = in.stream(ctx); err == nil {
			in.head, err = peek(stream)
		}
		if err != nil && ctx.Err() == nil { // a stopped stream is no damaged one
			err = fmt.Errorf("%s: unpack: %w (file is truncated or damaged)", path, err)
		}
	}
	if err == nil && isTar(in.head) {
		in.tree = &tarTree{f: in.file, gzip: in.gzip}
	}
	return err
}

// take gives the tree to a source, which closes it.
func (in *input) take() tree {
	t := in.tree
	in.tree, in.file = nil, nil
	return t
}

func (in *input) close() {
	switch {
	case in.tree != nil:
		_ = in.tree.Close()
	case in.file != nil:
		_ = in.file.Close()
	}
}

var gzipMagic = []byte{0x1f, 0x8b}

// stream reads the file from its beginning, unpacked from gzip.
func (in *input) stream(ctx context.Context) (io.Reader, error) {
	r := &countingReader{ctx: ctx, r: in.file, total: in.info.Size(), progress: in.progress}
	return rewound(in.file, r, in.gzip)
}

// rewound is r, which reads f, from f's beginning, unpacked where it is gzip.
func rewound(f *os.File, r io.Reader, packed bool) (io.Reader, error) {
	_, err := f.Seek(0, io.SeekStart)
	if err != nil || !packed {
		return r, err
	}
	return gzip.NewReader(r)
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

// bad reports something bad of a file: as the error, or as an entry of Bad.
func (d *Dataset) bad(file, where, reason string) error {
	if !d.skipBad {
		return fmt.Errorf("%s: %s: %s", file, where, reason)
	}
	return d.leaveOut(where, reason)
}
