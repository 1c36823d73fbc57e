package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"graft/finetune/audit"
	"graft/finetune/knn"
	"graft/finetune/metrics"
	"graft/internal/atomicfile"
	"graft/internal/parquetfile"
	"graft/pretrained/store"
)

// Map is embeddings in the plane in which they differ most.
type Map struct {
	Store   string     `json:"store"`
	Tap     string     `json:"tap"`
	Dim     int        `json:"dim"`
	Rows    int        `json:"rows"`            // of the store
	Shares  [2]float64 `json:"variance"`        // of all features' variance, along x and y
	Judge   string     `json:"judge,omitempty"` // the run by which mistakes are told
	Classes []string   `json:"classes"`
	Splits  []string   `json:"splits"`
	Points  []Spot     `json:"points"` // some rows of each split, spread evenly
	Pointed bool       `json:"-"`      // there are pictures to be shown under the pointer
}

// Spot is a row of a map.
type Spot struct {
	Index     int     `json:"index"`
	ID        string  `json:"id"`
	Split     string  `json:"split"`
	Label     string  `json:"label"`
	Predicted string  `json:"predicted,omitempty"` // by Map.Judge, of splits that it judged
	X         float32 `json:"x"`
	Y         float32 `json:"y"`

	Place        `json:"-"`
	Class, Part  int     `json:"-"` // numbers of label and split
	Left, Bottom float64 `json:"-"` // on the page
}

// Verdict is right, wrong, or unjudged.
func (s Spot) Verdict() string {
	switch s.Predicted {
	case "":
		return "unjudged"
	case s.Label:
		return "right"
	}
	return "wrong"
}

// mostSpots bounds the points and pictures of a map.
const mostSpots = 2000

// draw makes the map of the store's first tap, in audits' order, and writes the atlas.
func (m *maker) draw(ctx context.Context) (*Map, error) {
	tap := audit.End(m.store.Taps())[0]
	x, err := m.store.Matrix([]string{tap}, "")
	if err != nil {
		return nil, err
	}
	p, err := newPlane(x.X, x.Dim)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", m.store.Dir(), err)
	}
	out := &Map{Store: m.store.Dir(), Tap: tap, Dim: x.Dim, Rows: len(x.Labels), Shares: p.share, Classes: m.store.Classes(), Splits: m.store.Splits()}
	spots, judged := make([]Spot, len(x.Labels)), m.predicted(out)
	rows := map[int]store.Row{}
	for _, r := range m.store.Rows() {
		rows[r.Index] = r
	}
	for i, index := range x.Indices {
		r := rows[index]
		s := Spot{Index: r.Index, ID: r.ID, Split: r.Split, Label: r.LabelName, Predicted: judged[r.Index], Class: r.Label, Part: slices.Index(out.Splits, r.Split)}
		s.X, s.Y = p.at(x.X[i*x.Dim : (i+1)*x.Dim])
		spots[i] = s
	}
	m.sample(out, spots)
	if m.Atlas != "" {
		err = m.writeAtlas(ctx, spots, x)
	}
	return out, err
}

// predicted is what the first run that judged rows of the store said of them, by their
// numbers in the dataset.
func (m *maker) predicted(out *Map) map[int]string {
	judged := map[int]string{}
	for _, r := range m.Report.Runs {
		for _, s := range r.Splits {
			for _, f := range s.said {
				judged[f.index] = f.class
			}
		}
		if len(judged) > 0 {
			out.Judge = r.Name
			break
		}
	}
	return judged
}

// sample takes as many rows of each split, and puts them on the page's square.
func (m *maker) sample(out *Map, spots []Spot) {
	for _, split := range out.Splits {
		of := slices.DeleteFunc(slices.Clone(spots), func(s Spot) bool { return s.Split != split })
		out.Points = append(out.Points, evenly(of, mostSpots/len(out.Splits))...)
	}
	low, high := [2]float32{math.MaxFloat32, math.MaxFloat32}, [2]float32{-math.MaxFloat32, -math.MaxFloat32}
	for _, s := range out.Points {
		for a, v := range [2]float32{s.X, s.Y} {
			low[a], high[a] = min(low[a], v), max(high[a], v)
		}
	}
	place := func(a int, v, units float32) float64 {
		return math.Round(float64((v-low[a])/max(high[a]-low[a], 1e-30)*units)*10) / 10
	}
	for i := range out.Points {
		s := &out.Points[i]
		s.Left, s.Bottom = 6+place(0, s.X, mapWidth-12), mapHeight-6-place(1, s.Y, mapHeight-12)
		if m.data != nil && m.other(s.Index, s.ID, s.Label) == "" {
			s.Place, out.Pointed = m.faces.small.add(s.Index), true
		}
	}
	if m.data != nil && !out.Pointed {
		m.note("the map has no pictures: store %s is of other images than those shown", m.store.Dir())
	}
}

// Size of the map's drawing.
const (
	mapWidth  = 640
	mapHeight = 480
)

// Table is the points' numbers, which the page's script reads too.
func (m *Map) Table() Table {
	t := Table{"Map", []string{"index", "id", "split", "label", "predicted", "x", "y"}, nil}
	number := func(v float32) string { return strconv.FormatFloat(float64(v), 'g', 5, 32) }
	for _, s := range m.Points {
		t.Rows = append(t.Rows, []string{strconv.Itoa(s.Index), s.ID, s.Split, s.Label, s.Predicted, number(s.X), number(s.Y)})
	}
	return t
}

// atlasNeighbours are kept of each row.
const atlasNeighbours = 15

// atlasRow is a row of the map as the program embedding-atlas reads it, with
// --x x --y y --neighbors neighbors.
type atlasRow struct {
	Index     int64   `parquet:"index"`
	ID        string  `parquet:"id"`
	Split     string  `parquet:"split,dict"`
	Label     string  `parquet:"label,dict"`
	Predicted string  `parquet:"predicted,dict"`
	X         float32 `parquet:"x"`
	Y         float32 `parquet:"y"`
	Neighbors struct {
		IDs       []int64   `parquet:"ids,list"`       // rows of this table, from 0, the nearest first
		Distances []float32 `parquet:"distances,list"` // 1 − cosine
	} `parquet:"neighbors"`
}

func (m *maker) writeAtlas(ctx context.Context, spots []Spot, x store.Matrix) error {
	ix, err := knn.New(x.X, x.Dim, x.Labels, len(m.store.Classes()), 0)
	if err != nil {
		return fmt.Errorf("store %s: %w", m.store.Dir(), err)
	}
	k := min(atlasNeighbours, len(spots)-1)
	near, err := ix.LeaveOneOut(ctx, k, metrics.Alone(len(spots)), m.Progress("neighbours (images)"))
	if err != nil {
		return fmt.Errorf("store %s: %w", m.store.Dir(), err)
	}
	rows := make([]atlasRow, len(spots))
	for i, s := range spots {
		rows[i] = atlasRow{Index: int64(s.Index), ID: s.ID, Split: s.Split, Label: s.Label, Predicted: s.Predicted, X: s.X, Y: s.Y}
		for n := i * k; n < (i+1)*k; n++ {
			rows[i].Neighbors.IDs = append(rows[i].Neighbors.IDs, int64(near.Rows[n]))
			rows[i].Neighbors.Distances = append(rows[i].Neighbors.Distances, 1-near.Similarity[n])
		}
	}
	f, err := atomicfile.Create(m.Atlas)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := parquetfile.Write(f, rows); err != nil {
		return fmt.Errorf("%s: %w", m.Atlas, err)
	}
	return f.Commit()
}
