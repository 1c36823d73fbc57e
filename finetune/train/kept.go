package train

import (
	"errors"

	"graft/finetune/run"
	"graft/graph"
	"graft/internal/splitmix"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// kept is what a store keeps of the train split for a tail: the tensor at the cut, and the taps that the frozen part gives.
type kept struct {
	readers []*store.Tokens // the cut's first
	sizes   []int           // of a row of each
	rows    []int           // of the train split, by their numbers in the store
	views   int             // that an epoch draws from
	seed    uint64
}

// openKept opens the taps of a finished store; words are the cut's and then the frozen taps'.
func openKept(s *store.Store, words []string, views int, seed uint64) (k *kept, err error) {
	k = &kept{views: views, seed: seed}
	for i, r := range s.Rows() {
		if r.Split == dataset.Train {
			k.rows = append(k.rows, i)
		}
	}
	for _, w := range words {
		r, err := s.Tokens(w)
		if err != nil {
			return nil, errors.Join(err, k.Close())
		}
		k.readers, k.sizes = append(k.readers, r), append(k.sizes, graph.Shape(r.Shape()).Size())
	}
	return k, nil
}

// trainRows are those of the train split.
func trainRows(s *store.Store) (rows run.Rows) {
	for _, r := range s.Rows() {
		if r.Split != dataset.Train {
			continue
		}
		rows.Labels, rows.IDs, rows.Indices = append(rows.Labels, r.Label), append(rows.IDs, r.ID), append(rows.Indices, r.Index)
		if s.Grouped() {
			rows.Groups, rows.Contents = append(rows.Groups, r.Group), append(rows.Contents, r.Content)
		}
	}
	return rows
}

// Close closes the readers.
func (k *kept) Close() (err error) {
	for _, r := range k.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}

// shape is one image's, [S+F].
func (k *kept) shape() []int {
	sum := 0
	for _, n := range k.sizes {
		sum += n
	}
	return []int{sum}
}

// read writes a view of an image, by its number in train.
func (k *kept) read(x []float32, view, image int) error {
	for i, r := range k.readers {
		if err := r.Read(x[:k.sizes[i]], k.rows[image], view); err != nil {
			return err
		}
		x = x[k.sizes[i]:]
	}
	return nil
}

func (k *kept) plain(x []float32, images []int, view int) error {
	size := k.shape()[0]
	for i, image := range images {
		if err := k.read(x[i*size:(i+1)*size], view, image); err != nil {
			return err
		}
	}
	return nil
}

// changed draws one of the views of each image.
func (k *kept) changed(x []float32, images []int, epoch int) error {
	size := k.shape()[0]
	for i, image := range images {
		view := splitmix.Next(splitmix.Next(k.seed+uint64(epoch))+uint64(image)) % uint64(k.views)
		if err := k.read(x[i*size:(i+1)*size], int(view), image); err != nil {
			return err
		}
	}
	return nil
}
