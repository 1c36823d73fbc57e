package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"graft/preprocess"
)

// block is a run of whole rows on its way through a parser.
type block struct {
	buf  []byte // of blockSize, from the pool
	rows []byte // the part of buf in use
	err  error  // the stream broke off here, after all blocks before
	out  chan parsed
}

// parsed is a block's good rows and what was wrong with the others.
type parsed struct {
	err           error
	pix           []byte // good rows, ferPixels each
	labels        []uint8
	splits        []uint8
	index         []int // of the good rows, counted in the block
	faults        []blockFault
	rows, newline int // rows, good and bad, and line feeds in the block
}

type blockFault struct {
	row, line int // within the block, from 0
	rowFault
}

// csvSource serves pixels from a store.
type csvSource struct {
	store *pixelStore
	at    []int // row of the store by sample
}

func (s *csvSource) image(_ context.Context, i int) (preprocess.Image, error) {
	im := preprocess.New(1, ferSide, ferSide)
	return im, s.store.read(im.Pix, s.at[i])
}

func (s *csvSource) keep(samples []int) { s.at = pick(s.at, samples) }

func (s *csvSource) Close() error { return s.store.Close() }

// foreignFiles are what is taken for a dataset at times, by its first bytes.
var foreignFiles = []struct{ begins, told string }{
	{"version https://git-lfs", "a pointer of Git LFS, not the file itself; git lfs pull fetches it"},
	{"<!DOCTYPE", "a web page, not a dataset; the download needs a login perhaps"},
	{"<html", "a web page, not a dataset; the download needs a login perhaps"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it and give the folder"},
	{"Rar!", "a rar archive; unpack it and give the folder"},
	{"BZh", "packed by bzip2; unpack it first"},
	{"\xfd7zXZ", "packed by xz; unpack it first"},
	{"\x28\xb5\x2f\xfd", "packed by zstd; unpack it first"},
	{"\x89HDF", "an HDF5 file; save its arrays by numpy.savez, images uint8 and labels"},
	{"MATLAB 5.0", "a .mat file; save its arrays by numpy.savez, images uint8 and labels"},
	{"\x80\x02", "a Python pickle, which is not opened; save its arrays by numpy.savez, images uint8 and labels"},
	{"\x80\x03", "a Python pickle, which is not opened; save its arrays by numpy.savez, images uint8 and labels"},
	{"\x80\x04", "a Python pickle, which is not opened; save its arrays by numpy.savez, images uint8 and labels"},
	{"ARROW1", "an Arrow file; save the dataset by to_parquet"},
	{"\x00\x00\x08", "an IDX file, as MNIST's; save its arrays by numpy.savez, images uint8 and labels"},
	{"\xff\xd8\xff", "one image; give its folder"},
	{"\x89PNG", "one image; give its folder"},
}

// csvForm is FER2013's CSV, bare or in gzip, tar or zip.
type csvForm struct{ ofPixels }

func (csvForm) sniff(*input) bool { return true }

func (csvForm) open(ctx context.Context, d *Dataset, in *input) error {
	if in.tree != nil {
		e, others, err := in.csv()
		if err != nil {
			return err
		}
		if len(others) > 0 {
			d.warn("%s: %s is read; other CSV files are not: %s", d.Path, e.name, shorten(others))
		}
		return d.loadMember(ctx, in, e)
	}
	for _, f := range foreignFiles {
		if bytes.HasPrefix(in.head, []byte(f.begins)) {
			return fmt.Errorf("%s: %s", d.Path, f.told)
		}
	}
	stream, err := in.stream(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	return d.loadCSV(ctx, d.Path, stream)
}

// loadCSV fills d from a FER2013 CSV, called name in errors. One goroutine reads and
// cuts the stream at row ends, as many as there are cores parse, and this one
// collects the results in order.
func (d *Dataset) loadCSV(ctx context.Context, name string, r io.Reader) error {
	first := make([]byte, blockSize)
	blocks := &blockReader{r: r}
	rows, err := blocks.next(first)
	if errors.Is(err, io.EOF) {
		err = errors.New("file is empty")
	}
	if err != nil {
		return fmt.Errorf("%s: read header: %w", name, err)
	}
	line, rest := cutRow(rows, bytes.IndexByte(rows, '"') >= 0)
	h, err := parseHeader(line)
	if err != nil {
		return fmt.Errorf("%s: line 1: %w", name, err)
	}
	d.Kind, d.Classes, d.Splits, d.published = "fer2013-csv", FERClasses, FERSplits, ferCounts
	src := &csvSource{store: newPixelStore(ferPixels, memoryCap)}
	d.src = src

	c := &collector{d: d, src: src, name: name, line: bytes.Count(rows[:len(rows)-len(rest)], lineFeed)}
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	jobs, ordered := make(chan *block, workers), make(chan *block, 2*workers)
	g.Go(func() error { return readBlocks(ctx, blocks, first, rest, jobs, ordered) })
	for range workers {
		g.Go(func() error { parseBlocks(h, jobs); return nil })
	}
	g.Go(func() error { return c.collect(ctx, ordered) })
	if err := g.Wait(); err != nil || h.at[colUsage] >= 0 {
		return err
	}
	d.oneSplit(name)
	return nil
}

// oneSplit gives all rows of a CSV without the column Usage the split that its name tells.
func (d *Dataset) oneSplit(name string) {
	split, _, ok := splitOf(name[strings.LastIndexAny(name, `/\`+" ")+1:])
	if !ok {
		split = Train
		d.warn("%s: no column Usage and no split in the file's name: all rows are of split %s", d.Path, split)
	}
	d.Splits, d.published = []string{split}, nil
	if split == Train {
		return
	}
	for i := range d.Samples {
		s := &d.Samples[i]
		s.ID, s.Split = split+strings.TrimPrefix(s.ID, ferUsages[0]), split
	}
}

var lineFeed = []byte{'\n'}

// blockPool recycles the buffers of blocks.
var blockPool = sync.Pool{New: func() any { b := make([]byte, blockSize); return &b }}

// readBlocks sends every block to a parser and, in order, to the collector.
// A stream that breaks off ends in a block that says so.
func readBlocks(ctx context.Context, r *blockReader, buf, rows []byte, jobs, ordered chan<- *block) error {
	defer close(ordered)
	defer close(jobs)
	var err error
	for {
		b := &block{buf: buf, rows: rows, err: err, out: make(chan parsed, 1)}
		for _, ch := range []chan<- *block{jobs, ordered} {
			select {
			case ch <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err != nil {
			return nil
		}
		buf = *blockPool.Get().(*[]byte)
		rows, err = r.next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// parseBlocks parses until jobs is closed. A block's channel has room for its
// result, so this never waits for the collector.
func parseBlocks(h header, jobs <-chan *block) {
	for b := range jobs {
		p := h.parseBlock(b.rows)
		p.err = b.err
		blockPool.Put(&b.buf)
		b.out <- p
	}
}

// parsedPool recycles the pixel buffers of parsed blocks.
var parsedPool = sync.Pool{New: func() any { return new([]byte) }}

func (h header) parseBlock(rows []byte) parsed {
	p := parsed{pix: (*parsedPool.Get().(*[]byte))[:0]}
	whole := rows
	quoted := bytes.IndexByte(rows, '"') >= 0
	for len(rows) > 0 {
		start := len(whole) - len(rows)
		var row []byte
		row, rows = cutRow(rows, quoted)
		if len(row) == 0 {
			continue // encoding/csv skips empty lines too
		}
		n := len(p.pix)
		p.pix = slices.Grow(p.pix, ferPixels)[:n+ferPixels]
		label, split, fault := h.parseRow(p.pix[n:], row)
		if fault != nil {
			p.pix = p.pix[:n]
			p.faults = append(p.faults, blockFault{p.rows, bytes.Count(whole[:start], lineFeed), *fault})
		} else {
			p.labels, p.splits, p.index = append(p.labels, label), append(p.splits, split), append(p.index, p.rows)
		}
		p.rows++
	}
	p.newline = bytes.Count(whole, lineFeed)
	return p
}

// collector puts parsed blocks together in the order of the file.
type collector struct {
	d         *Dataset
	src       *csvSource
	name      string
	row, line int // rows and line feeds before the next block
}

func (c *collector) collect(ctx context.Context, ordered <-chan *block) error {
	for b := range ordered {
		select {
		case p := <-b.out:
			if ctx.Err() != nil {
				return ctx.Err() // a stopped stream is no damaged one
			}
			if err := c.add(p); err != nil {
				return err
			}
			parsedPool.Put(&p.pix)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.d.total = c.row
	return ctx.Err()
}

func (c *collector) add(p parsed) error {
	for _, f := range p.faults {
		where := fmt.Sprintf("row %d (line %d)", c.row+f.row+1, c.line+f.line+1)
		if f.column != "" {
			where += ", column " + f.column
		}
		if err := c.d.bad(c.name, where, f.reason); err != nil {
			return err
		}
	}
	if err := c.src.store.append(p.pix); err != nil {
		return err
	}
	for i, row := range p.index {
		row += c.row
		c.d.rows, c.src.at = append(c.d.rows, row), append(c.src.at, len(c.src.at))
		c.d.Samples = append(c.d.Samples, Sample{ID: ferID(int(p.splits[i]), row), Split: FERSplits[p.splits[i]], Label: int(p.labels[i])})
	}
	c.row, c.line = c.row+p.rows, c.line+p.newline
	if p.err == nil {
		return nil
	}
	if !c.d.skipBad {
		return fmt.Errorf("%s: after row %d: %w (file is truncated or damaged)", c.name, c.row, p.err)
	}
	return c.d.leaveOut(fmt.Sprintf("after row %d", c.row), fmt.Sprintf("file is truncated or damaged, the rest is lost: %v", p.err))
}

// ferID names a row as Kaggle names its image: Training_00042.
func ferID(split, row int) string {
	return fmt.Sprintf("%s_%05d", ferUsages[split], row)
}
