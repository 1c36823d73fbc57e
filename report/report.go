// Package report makes a page of what graft knows about runs, data and embeddings: one
// HTML file that loads nothing, opens from disk and holds the faces that it shows.
//
// [Make] gathers everything into a [Report], a value of its own; [Report.HTML] prints it
// as a page, and its JSON form holds the same figures without the pictures.
package report

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/finetune/audit"
	"graft/finetune/compare"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
	"graft/report/chart"
)

// Schema is of a Report as JSON.
const Schema = "graft-report-1"

// Config says what a report is of: runs, an audit or a store, one of them at least.
type Config struct {
	Runs       []string    // folders, of single runs or of several of one setting
	Data       dataset.Ref // whose images are shown; without Path the runs' own, where it can be found
	Audit      string      // folder of graft data audit; "" for none
	Embeddings string      // store whose map is drawn; "": the first one of the runs that can be found
	Atlas      string      // also write the map of all rows to this Parquet file; "" for none
	Program    run.Program // for the record
	Progress   func(label string) func(done, total int64)
}

// Report is what a page shows.
type Report struct {
	Title    string      `json:"title"`
	Program  run.Program `json:"program"` // that made the report
	Compared *Compared   `json:"compared,omitempty"`
	Runs     []Run       `json:"runs"`
	Data     *Data       `json:"data,omitempty"`
	Audit    *Audit      `json:"audit,omitempty"`
	Map      *Map        `json:"map,omitempty"`
	Notes    []string    `json:"notes"` // what is not shown and why

	faces *faces
}

// Table is rows of text under a head.
type Table struct {
	Title string     `json:"title"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
}

// Figure is a chart with its numbers.
type Figure struct {
	Title   string      `json:"title"`
	Note    string      `json:"note,omitempty"` // how it is to be read
	Numbers Table       `json:"numbers"`
	Chart   chart.Chart `json:"-"`
}

func figure(title, note string, c chart.Chart) Figure {
	t := c.Table()
	return Figure{title, note, Table{title, t.Head, t.Rows}, c}
}

// SVG is the chart as an element of the page.
func (f Figure) SVG() (template.HTML, error) { return chart.SVG(f.Chart) }

// Data is how often each class is in each split.
type Data struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind,omitempty"`
	Counts   Table    `json:"counts"`
	Shares   Figure   `json:"shares"`
	Warnings []string `json:"warnings"`
}

// maker is a report under way.
type maker struct {
	Config
	*Report
	data  *dataset.Dataset // nil where it cannot be found
	store *store.Store     // likewise
}

// Make gathers a report. Of a run whose predictions or images cannot be found the rest
// is shown, and the report's notes say what is missing.
func Make(ctx context.Context, c Config) (r *Report, err error) {
	if len(c.Runs) == 0 && c.Audit == "" && c.Embeddings == "" {
		return nil, errors.New("nothing to report on: want runs, an audit or a store")
	}
	if c.Progress == nil {
		c.Progress = func(string) func(int64, int64) { return nil }
	}
	m := &maker{Config: c, Report: &Report{Program: c.Program, Runs: []Run{}, Notes: []string{}}}
	list, err := m.read(ctx)
	if err != nil {
		return nil, err
	}
	var found *audit.Found
	if c.Audit != "" {
		f, err := audit.Read(c.Audit)
		if err != nil {
			return nil, err
		}
		found = &f
	}
	if err := m.open(ctx, found); err != nil {
		return nil, err
	}
	defer func() {
		if m.data != nil {
			err = errors.Join(err, m.data.Close())
		}
	}()
	m.faces = newFaces()
	m.describe()
	if err := m.tellRuns(list); err != nil {
		return nil, err
	}
	if found != nil {
		m.Report.Audit = m.tellAudit(*found)
	}
	if m.store != nil {
		if m.Map, err = m.draw(ctx); err != nil {
			return nil, err
		}
	}
	if m.data != nil {
		err = m.faces.draw(ctx, m.data, m.Progress("reading faces (images)"))
	}
	return m.Report, err
}

// read compares the runs, and puts the runs of several of one setting in their place.
func (m *maker) read(ctx context.Context) ([]compare.Comparison, error) {
	if len(m.Config.Runs) == 0 {
		m.Title = "Data"
		return nil, nil
	}
	list, err := compare.Read(ctx, m.Config.Runs)
	if err != nil {
		return nil, err
	}
	m.Title = path.Base(list[0].Run)
	if len(list) > 1 {
		m.Title = fmt.Sprintf("%d models compared", len(list))
		m.Compared = newCompared(list)
	}
	return list, nil
}

// single is the folder of a run: of several of one setting the first one's.
func single(dir string) (string, error) {
	s, err := run.ReadSummary(dir)
	if err != nil || s == nil {
		return dir, err
	}
	return filepath.Join(dir, s.Runs[0]), nil
}

// open finds the dataset and the store: those that were named, else the runs' own and
// the audit's.
func (m *maker) open(ctx context.Context, found *audit.Found) error {
	var refs []dataset.Ref
	var stores []string
	for _, dir := range m.Config.Runs {
		dir, err := single(dir)
		if err != nil {
			return err
		}
		c, err := run.ReadConfig(dir)
		if err != nil {
			return err
		}
		refs, stores = append(refs, c.Dataset.Ref), append(stores, c.Embeddings.Path)
	}
	if found != nil && found.Report.Features != nil {
		stores = append(stores, found.Report.Features.Store)
	}
	if err := m.openStore(stores); err != nil {
		return err
	}
	if m.store != nil && m.store.Manifest().Dataset.From != nil {
		refs = append(refs, *m.store.Manifest().Dataset.From)
	}
	if found != nil {
		refs = append(refs, dataset.Ref{Path: found.Report.Data})
	}
	return m.openData(ctx, refs)
}

func (m *maker) openStore(stores []string) (err error) {
	if m.Embeddings != "" {
		m.store, err = store.Open(m.Embeddings)
		return err
	}
	for _, dir := range stores {
		if dir == "" {
			continue
		}
		if m.store, err = store.Open(dir); err == nil {
			return nil
		}
		m.store = nil
		m.note("no map of the embeddings in %s: %v", dir, err)
	}
	return nil
}

func (m *maker) openData(ctx context.Context, refs []dataset.Ref) (err error) {
	ref, given := m.Config.Data, m.Config.Data.Path != ""
	if !given {
		at := slices.IndexFunc(refs, func(r dataset.Ref) bool { return r.Path != "" && r.Exists() })
		if at < 0 {
			m.note("faces are not shown: the images are not where the runs and stores say, or these do not say; name them with --data")
			return nil
		}
		ref = refs[at]
	}
	ref.GroupBy = ""
	if m.data, err = dataset.Open(ctx, ref, m.Progress("reading "+ref.Name()+" (bytes)")); err != nil && !given {
		m.data = nil
		m.note("faces are not shown: %v", err)
		return nil
	}
	return err
}

// note says what is missing, each sentence once.
func (m *maker) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(m.Notes, s) {
		m.Notes = append(m.Notes, s)
	}
}

// noteOnce says it with the first reason alone.
func (m *maker) noteOnce(what, why string) {
	if !slices.ContainsFunc(m.Notes, func(s string) bool { return strings.HasPrefix(s, what) }) {
		m.Notes = append(m.Notes, what+why)
	}
}

// describe counts the dataset's classes, or the store's.
func (m *maker) describe() {
	switch {
	case m.data != nil:
		info := m.data.Info()
		counts := map[string]map[string]int{}
		for name, s := range info.Splits {
			counts[name] = s.Classes
		}
		m.Report.Data = newData(m.data.Name(), info.Kind, info.Classes, info.SplitNames, counts, info.Warnings)
	case m.store != nil:
		counts := map[string]map[string]int{}
		for _, r := range m.store.Rows() {
			if counts[r.Split] == nil {
				counts[r.Split] = map[string]int{}
			}
			counts[r.Split][r.LabelName]++
		}
		m.Report.Data = newData(m.store.Manifest().Dataset.Name, "", m.store.Classes(), m.store.Splits(), counts, nil)
	}
}

func newData(name, kind string, classes, splits []string, counts map[string]map[string]int, warnings []string) *Data {
	d := &Data{Name: name, Kind: kind, Warnings: append([]string{}, warnings...), Counts: Table{"Images", append([]string{"class"}, splits...), nil}}
	bars := &chart.Bars{Title: "Classes of each split", Value: chart.Axis{Label: "share of the split", Percent: true}, Categories: classes}
	all := []string{"all"}
	for _, split := range splits {
		total, g := 0, chart.Group{Name: split}
		for _, class := range classes {
			total += counts[split][class]
		}
		for _, class := range classes {
			n := counts[split][class]
			share := float64(n) / float64(max(total, 1))
			g.Values, g.Notes = append(g.Values, share), append(g.Notes, fmt.Sprintf("%.1f%% (%d)", 100*share, n))
		}
		bars.Groups = append(bars.Groups, g)
		all = append(all, fmt.Sprint(total))
	}
	for i, class := range classes {
		row := []string{class}
		for _, g := range bars.Groups {
			_, count, _ := strings.Cut(g.Notes[i], "(")
			row = append(row, strings.TrimSuffix(count, ")"))
		}
		d.Counts.Rows = append(d.Counts.Rows, row)
	}
	d.Counts.Rows = append(d.Counts.Rows, all)
	d.Shares = figure("Classes of each split", "Shares of the split, and images.", bars)
	return d
}
