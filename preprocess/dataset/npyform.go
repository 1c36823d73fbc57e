package dataset

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/preprocess"
)

// npyForm is images as arrays of numpy: uint8 [N,H,W], [N,H,W,C] or [N,C,H,W] with C 1 or 3,
// in a .npy, a .npz or a folder of such, with labels beside: labels.npy, NAME_labels.npy,
// y.npy; of x_train.npy those of y_train.npy.
type npyForm struct{ ofPixels }

func (npyForm) sniff(in *input) bool {
	if in.tree == nil {
		return bytes.HasPrefix(in.head, npyMagic)
	}
	return holdsOnly(in.list, isNpy)
}

func isNpy(name string) bool { return strings.EqualFold(path.Ext(name), ".npy") && !isHidden(name) }

// npyImages are an array of images in a set.
type npyImages struct {
	npyArray
	channels, height, width int
	last                    bool // channels stand last
}

// npySource reads single images.
type npySource struct {
	arrays []npyImages
	at     []npyRow
	close  []io.Closer
}

type npyRow struct{ array, row int }

func (s *npySource) image(_ context.Context, i int) (preprocess.Image, error) {
	a := s.arrays[s.at[i].array]
	im := preprocess.New(a.channels, a.height, a.width)
	if _, err := a.r.ReadAt(im.Pix, a.at+int64(s.at[i].row)*int64(len(im.Pix))); err != nil {
		return im, err
	}
	if a.last && a.channels > 1 {
		plane := a.height * a.width
		pix := bytes.Clone(im.Pix)
		for p := range plane {
			for c := range a.channels {
				im.Pix[c*plane+p] = pix[p*a.channels+c]
			}
		}
	}
	return im, nil
}

func (s *npySource) keep(samples []int) { s.at = pick(s.at, samples) }

func (s *npySource) Close() (err error) {
	for _, c := range s.close {
		err = errors.Join(err, c.Close())
	}
	return err
}

// npyName is an array's name understood.
type npyName struct {
	file          entry
	split, rest   string
	images, label bool // words that say so
}

// Words of names of images and labels; single letters stand before a split too.
var (
	npyImageWords = []string{"x", "image", "images", "img", "imgs", "data", "pixels"}
	npyLabelWords = []string{"y", "label", "labels", "target", "targets"}
)

func parseNpyName(e entry) npyName {
	n := npyName{file: e}
	stem := strings.TrimSuffix(path.Base(e.name), path.Ext(e.name))
	var rest []string
	for _, p := range nameParts.FindAllString(stem, -1) {
		p = strings.ToLower(p)
		if _, is := splitWords[p[1:]]; is && (p[0] == 'x' || p[0] == 'y') {
			n.split, n.images, n.label = splitWords[p[1:]], n.images || p[0] == 'x', n.label || p[0] == 'y'
			continue
		}
		split, is := splitWords[p]
		switch {
		case is:
			n.split = split
		case slices.Contains(npyLabelWords, p):
			n.label = true
		case slices.Contains(npyImageWords, p):
			n.images = true
		case !slices.Contains(setWords, p):
			rest = append(rest, p)
		}
	}
	n.rest = strings.Join(rest, " ")
	return n
}

// labelsOf finds the labels of images: those of the same split and name, else those of the
// split without another name.
func labelsOf(images npyName, all []npyName) (found *npyName, err error) {
	for _, rest := range []string{images.rest, ""} {
		for i, n := range all {
			if !n.label || n.split != images.split || n.rest != rest || n.file.name == images.file.name {
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("labels of %s may be %s or %s; leave one of them there", images.file.name, found.file.name, n.file.name)
			}
			found = &all[i]
		}
		if found != nil {
			break
		}
	}
	return found, nil
}

func (npyForm) open(ctx context.Context, d *Dataset, in *input) error {
	if in.gzip && in.tree == nil {
		return fmt.Errorf("%s: an array packed by gzip; unpack it first", d.Path)
	}
	src := &npySource{}
	d.Kind, d.src = "npy", src
	t, only := in.tree, ""
	if t != nil {
		in.take()
	} else { // what lies beside the file may be its labels
		_, file := in.cut()
		t, only = dirTree{filepath.Dir(file)}, filepath.Base(file)
		items, err := os.ReadDir(filepath.Dir(file))
		if err != nil {
			return err
		}
		for _, it := range items {
			in.list = append(in.list, entry{name: it.Name(), dir: it.IsDir()})
		}
	}
	src.close = append(src.close, t)
	var names []npyName
	for _, e := range in.list {
		if !e.dir && (isNpy(e.name) || e.name == only) {
			names = append(names, parseNpyName(e))
		}
	}
	slices.SortStableFunc(names, func(a, b npyName) int {
		return cmp.Or(cmp.Compare(slices.Index(folderSplits, a.split), slices.Index(folderSplits, b.split)), strings.Compare(a.file.name, b.file.name))
	})
	l := npyLoader{d: d, src: src, tree: t, all: names}
	for _, n := range names {
		if n.file.name != only && (only != "" || n.label && !n.images) {
			continue
		}
		if err := errors.Join(l.add(n), ctx.Err()); err != nil {
			return fmt.Errorf("%s: %s: %w", d.Path, n.file.name, err)
		}
	}
	l.classes.settle(d)
	return cmp.Or(d.allLabelled("an array such as labels.npy or NAME_labels.npy"), d.sortSplits())
}

// npyLoader makes samples of arrays.
type npyLoader struct {
	d       *Dataset
	src     *npySource
	tree    tree
	all     []npyName
	classes classSet
}

func (l *npyLoader) read(e entry) (a npyArray, err error) {
	f, size, err := l.tree.random(e)
	if err != nil {
		return a, err
	}
	l.src.close = append(l.src.close, f)
	return readNpy(f, size)
}

func (l *npyLoader) add(n npyName) error {
	array, err := l.read(n.file)
	if err != nil {
		return err
	}
	images, err := asImages(array)
	if err != nil {
		return err
	}
	if len(l.d.Samples)+array.shape[0] > maxMembers {
		return fmt.Errorf("more than %d images", maxMembers)
	}
	labels := []string{}
	found, err := labelsOf(n, l.all)
	if err != nil {
		return err
	}
	if found != nil {
		y, err := l.read(found.file)
		if err == nil {
			labels, err = y.text()
		}
		for i := 0; err == nil && i < len(labels); i++ {
			if fault := labelFault(labels[i]); fault != "" {
				err = fmt.Errorf("label %d %s", i, fault)
			}
		}
		if err == nil && len(labels) != array.shape[0] {
			err = fmt.Errorf("%d labels, wanted %d, one for each image of %s", len(labels), array.shape[0], n.file.name)
		}
		if err != nil {
			return fmt.Errorf("labels in %s: %w", found.file.name, err)
		}
	}
	stem := strings.TrimSuffix(path.Base(n.file.name), path.Ext(n.file.name))
	for i := range array.shape[0] {
		label := unlabelled
		if found != nil {
			label = labels[i]
		}
		l.d.Samples = append(l.d.Samples, Sample{ID: fmt.Sprintf("%s_%05d", stem, i), Split: n.split, Label: l.classes.add(label)})
		l.src.at = append(l.src.at, npyRow{len(l.src.arrays), i})
	}
	l.src.arrays = append(l.src.arrays, images)
	if n.split != "" && !slices.Contains(l.d.Splits, n.split) {
		l.d.Splits = append(l.d.Splits, n.split)
	}
	return nil
}

// asImages understands an array's shape.
func asImages(a npyArray) (im npyImages, err error) {
	im = npyImages{npyArray: a, channels: 1}
	switch n := len(a.shape); {
	case n == 3:
		im.height, im.width = a.shape[1], a.shape[2]
	case n == 4 && (a.shape[3] == 1 || a.shape[3] == 3):
		im.height, im.width, im.channels, im.last = a.shape[1], a.shape[2], a.shape[3], true
	case n == 4 && (a.shape[1] == 1 || a.shape[1] == 3):
		im.channels, im.height, im.width = a.shape[1], a.shape[2], a.shape[3]
	default:
		return im, fmt.Errorf("an array of shape %v, wanted images [N,H,W], [N,H,W,C] or [N,C,H,W] with C 1 or 3 (x.reshape does it)", a.shape)
	}
	switch {
	case strings.TrimLeft(a.descr, "<>|=") != "u1":
		return im, fmt.Errorf("images of type %s, wanted uint8, 0 to 255 (of numbers from 0 to 1 save (255*x).round().astype(\"uint8\"))", a.descr)
	case im.height == 0 || im.width == 0 || im.height > preprocess.MaxPixels/im.width:
		return im, fmt.Errorf("images of %d×%d pixels", im.width, im.height)
	}
	return im, nil
}
