package audit

import (
	"iter"
	"path/filepath"

	"graft/internal/table"
	"graft/preprocess/duplicate"
)

// Report is what an audit found, counted; the rows are in the tables of its Findings.
type Report struct {
	Data        string           `json:"data"`
	Kind        string           `json:"kind"`
	Classes     []string         `json:"classes"`
	SplitNames  []string         `json:"split_names"`
	Images      int              `json:"images"`
	Distinct    int              `json:"distinct"`    // by their decoded pixels
	Groups      int              `json:"groups"`      // of equal or nearly equal images, those alone counted
	NearCosine  float64          `json:"near_cosine"` // least, of the prints of near duplicates
	Splits      map[string]Split `json:"splits"`
	Leaks       []Leak           `json:"leaks"` // of each two splits
	Conflicts   Conflicts        `json:"conflicts"`
	Constant    int              `json:"constant"`           // images of one value
	TinyBelow   int              `json:"tiny_below"`         // pixels, of the shorter side
	Tiny        int              `json:"tiny"`               // images
	Cut         int              `json:"cut"`                // files that end early
	Undecodable int              `json:"undecodable"`        // other images, and rows of a CSV or list, that cannot be read
	Features    *Features        `json:"features,omitempty"` // what follows goes by, where there is an embedding store
	Labels      *Doubts          `json:"labels,omitempty"`
	Outliers    *Outliers        `json:"outliers,omitempty"`
	Notes       []string         `json:"notes"`
	Findings    []Finding        `json:"findings"` // tables

	base string // of Findings, as it was given
}

// Split is one split's rows.
type Split struct {
	Total     int            `json:"total"`
	Classes   map[string]int `json:"classes"`
	Redundant Redundant      `json:"redundant"`
}

// Redundant counts rows that come after another of their group in the same split.
type Redundant struct {
	Equal int `json:"equal"` // the pixels of an earlier row
	Near  int `json:"near"`  // others: they are near duplicates of one
}

// Leak counts a split's rows whose group is in another split.
type Leak struct {
	Split      string `json:"split"`
	Of         string `json:"of"`
	Total      int    `json:"total"`       // rows of Split
	Equal      int    `json:"equal"`       // the pixels of a row of Of
	OtherLabel int    `json:"other_label"` // of these, with a label that none of their equals there has
	All        int    `json:"all"`         // equal ones and near duplicates
	Named      int    `json:"named"`       // others, of which a group of the user's own is there too
}

// Conflicts counts what has several labels.
type Conflicts struct {
	Equal int `json:"equal"` // sets of equal images
	Near  int `json:"near"`  // groups in which no equal images contradict each other
	Rows  int `json:"rows"`
}

// Finding is a table in the audit's folder: Name with .csv and with .parquet.
type Finding struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

func (a *auditor) newReport() *Report {
	info := a.Data.Info()
	r := &Report{Data: info.Path, Kind: info.Kind, Classes: info.Classes, SplitNames: info.SplitNames, Images: len(a.Data.Samples),
		NearCosine: duplicate.Near / 1000.0, Splits: map[string]Split{}, Leaks: []Leak{}, Notes: []string{}, TinyBelow: a.Tiny, base: a.Out}
	for name, s := range info.Splits {
		r.Splits[name] = Split{Total: s.Total, Classes: s.Classes}
	}
	return r
}

// Row is where a finding is.
type Row struct {
	Index int64  `parquet:"index"` // position in the dataset
	ID    string `parquet:"id"`
	Split string `parquet:"split,dict"`
	Label string `parquet:"label,dict"`
}

func (a *auditor) row(i int) Row {
	s := a.Data.Samples[i]
	return Row{int64(i), s.ID, s.Split, a.Data.Classes[s.Label]}
}

// write writes a finding's table, notes it in the report, and counts its rows.
func write[T any](a *auditor, r *Report, name string, count *int, rows iter.Seq[T]) error {
	err := writeLists(a, r, name, nil, rows)
	if count != nil {
		*count = r.Findings[len(r.Findings)-1].Rows
	}
	return err
}

// writeLists is write of rows with a list, whose columns in the CSV have these names.
func writeLists[T any](a *auditor, r *Report, name string, lists []string, rows iter.Seq[T]) error {
	n, err := table.Write(filepath.Join(a.Out, name), lists, rows)
	r.Findings = append(r.Findings, Finding{name, n})
	return err
}

// classRow is how often a class is in a split.
type classRow struct {
	Split string  `parquet:"split,dict"`
	Class string  `parquet:"class"`
	Count int64   `parquet:"images"`
	Share float64 `parquet:"share"` // of the split
}

func (a *auditor) findClasses(r *Report) error {
	return write(a, r, "classes", nil, func(yield func(classRow) bool) {
		for _, split := range r.SplitNames {
			s := r.Splits[split]
			for _, class := range r.Classes {
				n := s.Classes[class]
				if !yield(classRow{split, class, int64(n), float64(n) / float64(max(s.Total, 1))}) {
					return
				}
			}
		}
	})
}
