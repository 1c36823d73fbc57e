package audit

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"graft/finetune/head"
	"graft/finetune/knn"
	"graft/pretrained/store"
)

// What images are compared with.
const (
	neighbours    = 10
	mostReference = 10000
)

// Outliers says which images are far from all others: by the mean of 1 − cosine to
// their nearest images of train of other groups, of features standardised by train.
type Outliers struct {
	Neighbours int            `json:"neighbours"`
	References int            `json:"references"` // images of train, one of a group; drawn where there are more than 10,000
	Limit      float64        `json:"limit"`      // distance above which an image is an outlier: the upper quartile of train and one and a half times the distance between the quartiles (Tukey's fence)
	Count      map[string]int `json:"count"`      // rows of each split
}

// OutlierRow is an outlier in the table.
type OutlierRow struct {
	Row
	Distance     float32 `parquet:"distance"`
	Group        int64   `parquet:"group"`
	NearestIndex int64   `parquet:"nearest_index"`
	NearestID    string  `parquet:"nearest_id"`
	NearestLabel string  `parquet:"nearest_label,dict"`
}

// distant is how far an image is from others, and which is the nearest.
type distant struct {
	row, nearest int
	distance     float32
}

// surroundings are the images that others are compared with.
type surroundings struct {
	*auditor
	index     *knn.Index
	rows      []int // of the dataset
	mean, std []float32
}

// findOutliers compares every image with train's. It standardises train.X in place.
func (a *auditor) findOutliers(ctx context.Context, r *Report, train store.Matrix) error {
	s, err := a.surround(train)
	if err != nil {
		return err
	}
	if len(s.rows) <= neighbours {
		r.Notes = append(r.Notes, "outliers are not judged: train has too few images")
		return nil
	}
	all, err := s.distances(ctx, train)
	if err != nil {
		return err
	}
	r.Outliers = &Outliers{Neighbours: neighbours, References: len(s.rows), Limit: fence(all), Count: map[string]int{}}
	train.X = nil
	for _, split := range a.held() {
		m, err := a.Store.Matrix(a.Taps, split)
		if err != nil {
			return err
		}
		more, err := s.distances(ctx, m)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	all = slices.DeleteFunc(all, func(d distant) bool { return float64(d.distance) <= r.Outliers.Limit })
	slices.SortStableFunc(all, func(x, y distant) int { return cmp.Compare(y.distance, x.distance) })
	for _, d := range all {
		r.Outliers.Count[a.Data.Samples[d.row].Split]++
	}
	return write(a, r, "outliers", nil, func(yield func(OutlierRow) bool) {
		for _, d := range all {
			near := a.row(d.nearest)
			if !yield(OutlierRow{a.row(d.row), d.distance, int64(a.group[d.row]), near.Index, near.ID, near.Label}) {
				return
			}
		}
	})
}

// surround takes the first row of each group of train, of many a sample.
func (a *auditor) surround(train store.Matrix) (*surroundings, error) {
	rows := make([]int, len(train.Labels))
	var first []int
	seen := map[int]bool{}
	for i, at := range train.Indices {
		rows[i] = i
		if g := a.kin[at]; !seen[g] {
			seen[g] = true
			first = append(first, i)
		}
	}
	if len(first) > mostReference {
		r := rand.New(rand.NewPCG(a.Seed, 0x6f75746c696572)) // "outlier"
		r.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
		first = first[:mostReference]
		slices.Sort(first)
	}
	s := &surroundings{auditor: a}
	var err error
	if s.mean, s.std, err = head.Moments(train.X, train.Dim, rows, a.Threads); err != nil {
		return nil, err
	}
	x := make([]float32, 0, len(first)*train.Dim)
	for _, i := range first {
		x = append(x, train.X[i*train.Dim:(i+1)*train.Dim]...)
		s.rows = append(s.rows, train.Indices[i])
	}
	s.standardize(x)
	s.index, err = knn.New(x, train.Dim, make([]int, len(first)), 1, a.Threads)
	return s, err
}

func (s *surroundings) standardize(x []float32) {
	d := len(s.mean)
	for i, v := range x {
		x[i] = (v - s.mean[i%d]) / s.std[i%d]
	}
}

// distances of the rows of m, whose features it changes. One more neighbour is asked
// for than counts, as one may be of the row's own group.
func (s *surroundings) distances(ctx context.Context, m store.Matrix) ([]distant, error) {
	out := make([]distant, 0, len(m.Labels))
	progress := s.Progress("comparing features (images)")
	return out, eachBlock(ctx, m, func(from, to int) error {
		x := m.X[from*m.Dim : to*m.Dim]
		s.standardize(x)
		nb, err := s.index.Search(ctx, x, neighbours+1, nil)
		if err != nil {
			return err
		}
		for i := from; i < to; i++ {
			out = append(out, s.distance(m.Indices[i], nb, i-from))
		}
		if progress != nil {
			progress(int64(to), int64(len(m.Labels)))
		}
		return nil
	})
}

// distance of a row of the dataset, query q of nb.
func (s *surroundings) distance(row int, nb knn.Neighbours, q int) distant {
	d := distant{row: row, nearest: -1}
	count := 0
	for k := q * nb.K; k < (q+1)*nb.K && count < neighbours; k++ {
		other := s.rows[nb.Rows[k]]
		if s.kin[other] == s.kin[row] {
			continue
		}
		if d.nearest < 0 {
			d.nearest = other
		}
		d.distance += (1 - nb.Similarity[k]) / neighbours
		count++
	}
	return d
}

// fence is Tukey's: the upper quartile and one and a half times the distance from the
// lower one.
func fence(all []distant) float64 {
	sorted := make([]float64, len(all))
	for i, d := range all {
		sorted[i] = float64(d.distance)
	}
	slices.Sort(sorted)
	quartile := func(q int) float64 { return sorted[(len(sorted)-1)*q/4] }
	return quartile(3) + 1.5*(quartile(3)-quartile(1))
}
