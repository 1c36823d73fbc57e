package model

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"graft/finetune/load"
	"graft/internal/regular"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

// Picture is an image of which nothing but itself is wanted.
type Picture struct {
	Name string                                              // its path, or its set's and its own in it
	Read func(ctx context.Context) (preprocess.Image, error) // may be called from several goroutines
}

// Pictures are what paths lead to, in their order: image files, and sets of images in any form that package dataset reads, of
// which labels and splits do not count. Standard is the path of standard input, which holds an image, or a path a line.
type Pictures struct {
	List []Picture
	open []*dataset.Dataset
}

// Standard is the word for standard input.
const Standard = "-"

// OpenPictures looks at paths. What is neither an image nor a set is a Picture all the same, whose reading says why not, as
// is each image of a set that it knows to be bad.
func OpenPictures(ctx context.Context, paths []string, stdin io.Reader, progress load.Progress) (_ *Pictures, err error) {
	p := &Pictures{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	for _, path := range paths {
		if path == Standard {
			err = p.standard(ctx, stdin, progress)
		} else {
			err = p.add(ctx, path, progress)
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close frees the sets. No picture must be read then.
func (p *Pictures) Close() (err error) {
	for _, d := range p.open {
		err = errors.Join(err, d.Close())
	}
	return err
}

func (p *Pictures) add(ctx context.Context, path string, progress load.Progress) error {
	info, err := os.Stat(path)
	set := err == nil && (info.IsDir() || info.Mode().IsRegular() && !looksLikeImage(path))
	if !set && !dataset.Worded(path) {
		p.List = append(p.List, Picture{path, func(ctx context.Context) (preprocess.Image, error) { return ReadImage(ctx, path) }})
		return nil
	}
	d, err := dataset.Open(ctx, dataset.Ref{Path: path, SkipBad: true, Unsplit: true}, progress.Of("reading "+path+" (bytes)"))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.bad(path, fmt.Errorf("neither an image nor a set of images: %w", err))
		return nil
	}
	p.open = append(p.open, d)
	for _, b := range d.Bad {
		p.bad(path+": "+b.Where, fmt.Errorf("%s: %s: %s", path, b.Where, b.Reason))
	}
	for i, s := range d.Samples {
		p.List = append(p.List, Picture{path + ": " + s.ID, func(ctx context.Context) (preprocess.Image, error) { return d.Image(ctx, i) }})
	}
	return nil
}

func (p *Pictures) bad(name string, err error) {
	p.List = append(p.List, Picture{name, func(context.Context) (preprocess.Image, error) { return preprocess.Image{}, err }})
}

// standard reads an image from standard input, or the paths there.
func (p *Pictures) standard(ctx context.Context, stdin io.Reader, progress load.Progress) error {
	in := bufio.NewReaderSize(stdin, 1<<16)
	if head, _ := in.Peek(preprocess.FormatBytes); preprocess.LooksLikeImage(head) {
		im, err := preprocess.Decode(ctx, in)
		if err != nil {
			err = fmt.Errorf("standard input: %w", err)
		}
		p.List = append(p.List, Picture{Standard, func(context.Context) (preprocess.Image, error) { return im, err }})
		return ctx.Err()
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		path := strings.TrimSpace(lines.Text())
		if path == "" {
			continue
		}
		if err := p.add(ctx, path, progress); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("standard input, wanted an image or a path a line: %w", err)
	}
	return nil
}

func looksLikeImage(path string) bool {
	f, err := regular.Open(path)
	if err != nil {
		return true // and reading it says why not
	}
	defer f.Close()
	head := make([]byte, preprocess.FormatBytes)
	n, _ := io.ReadFull(f, head)
	return n == 0 || preprocess.LooksLikeImage(head[:n])
}
