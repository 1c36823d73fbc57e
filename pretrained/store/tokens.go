package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edsrzf/mmap-go"

	"graft/internal/regular"
	"graft/preprocess/dataset"
	"graft/pretrained/taps"
)

// Tokens reads one tap row by row, in any order and of any view, straight out of files
// that are mapped into memory: what a training needs that draws batches from a tap
// larger than memory. It reads vectors as well. Read may be called from several
// goroutines, but not beside Close.
type Tokens struct {
	name  string
	shape []int
	dim   int
	views []mappedView
	rows  []place
}

// place is where a row lies: its shard, its position there, and that among those of the
// train split, -1 of other splits.
type place struct{ shard, at, train int32 }

// mappedView is one view's files.
type mappedView struct {
	folder
	shards []mmap.MMap
	begin  int // of the rows in a file: behind the header
}

// Tokens opens a tap, by its name or as tensor:NAME, of a finished store.
func (s *Store) Tokens(tap string) (*Tokens, error) {
	if err := s.checkFinished(); err != nil {
		return nil, err
	}
	word := strings.Join(taps.Split([]string{tap}), ",")
	found, ok := s.manifest.tap(word)
	if !ok {
		return nil, fmt.Errorf("store %s has no tap %q; it has %s", s.dir, tap, strings.Join(s.manifest.known(), ", "))
	}
	t := &Tokens{name: s.dir + ", tap " + found.Name, shape: found.Row(), dim: found.Dim, rows: s.places()}
	for v := range s.manifest.views() {
		view, err := s.mapView(s.manifest.folder(found, v))
		t.views = append(t.views, view)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("embedding store: %w", err), t.Close())
		}
	}
	return t, nil
}

// places says where the rows lie.
func (s *Store) places() []place {
	out := make([]place, 0, len(s.rows))
	for k := range s.manifest.Shards {
		train := int32(0)
		for i := range s.manifest.Shards[k].Rows {
			p := place{int32(k), int32(i), -1}
			if s.rows[len(out)].Split == dataset.Train {
				p.train = train
				train++
			}
			out = append(out, p)
		}
	}
	return out
}

// mapView maps the files of all shards; after an error those that it has.
func (s *Store) mapView(f folder) (mappedView, error) {
	view := mappedView{folder: f}
	base := 0
	for k := range s.manifest.Shards {
		sh := &s.manifest.Shards[k]
		h := f.header(s.rows[base : base+sh.Rows])
		base += sh.Rows
		view.begin = len(h.encode())
		if err := s.trust(f.Name, sh); err != nil {
			return view, err
		}
		data, err := h.mapFile(s.npyFile(f.Name, sh))
		if err != nil {
			return view, fmt.Errorf("%w; %s", err, repair)
		}
		view.shards = append(view.shards, data)
	}
	return view, nil
}

// mapFile maps a file that has to have this header.
func (h npyHeader) mapFile(path string) (mmap.MMap, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = h.check(f)
	}
	if err == nil && info.Size() != h.size() {
		err = fmt.Errorf("it has %d bytes, wanted %d", info.Size(), h.size())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("map %s into memory: %w", path, err)
	}
	return data, nil
}

// Shape is a row's, such as [T,D].
func (t *Tokens) Shape() []int { return slices.Clone(t.shape) }

// Views is the number of views of a row of the train split; other rows have
// FixedViews. View 0 is the image as it is.
func (t *Tokens) Views() int { return len(t.views) }

// FixedViews is the number of views that every row has: 1, or 2 with that of the mirrored image.
func (t *Tokens) FixedViews() int {
	n := slices.IndexFunc(t.views, func(v mappedView) bool { return v.train })
	if n < 0 {
		return len(t.views)
	}
	return n
}

// Read sets dst, of as many values as Shape has, to a view of a row in the order of
// Store.Rows. Nothing is allocated.
func (t *Tokens) Read(dst []float32, row, view int) error {
	if row < 0 || row >= len(t.rows) || view < 0 || view >= len(t.views) || len(dst) != t.dim {
		return fmt.Errorf("%s: view %d of row %d into %d values; it has %d views of %d rows of %d", t.name, view, row, len(dst), len(t.views), len(t.rows), t.dim)
	}
	p, v := t.rows[row], &t.views[view]
	at := p.at
	if v.train {
		at = p.train
	}
	if at < 0 {
		return fmt.Errorf("%s: row %d has no view %d: it is not of the %s split, whose images alone were changed", t.name, row, view, dataset.Train)
	}
	size := t.dim * v.DType.size()
	begin := v.begin + int(at)*size
	v.DType.decode(dst, v.shards[p.shard][begin:begin+size])
	return nil
}

// Close lets go of the files. Nothing can be read afterwards.
func (t *Tokens) Close() (err error) {
	for _, v := range t.views {
		for _, data := range v.shards {
			err = errors.Join(err, data.Unmap())
		}
	}
	t.views = nil
	return err
}
