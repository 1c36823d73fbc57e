package report

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"graft/finetune/compare"
	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/internal/plural"
	"graft/report/chart"
)

// Run is one run's part of the page.
type Run struct {
	Name     string     `json:"name"`
	Dir      string     `json:"dir"`
	Model    string     `json:"model"` // in words
	Command  string     `json:"command,omitempty"`
	Notes    []string   `json:"notes"`
	Summary  Table      `json:"summary"` // a column for each split
	Clean    []string   `json:"clean"`   // what its clean rows are without
	Curves   []Figure   `json:"curves,omitempty"`
	Splits   []Judged   `json:"splits"`
	Settings [][]string `json:"settings"` // config.json, by its keys
}

// Judged is what a run said of a split.
type Judged struct {
	Split       string  `json:"split"`
	Matrix      *Matrix `json:"matrix,omitempty"` // nil of very many classes
	Confused    Table   `json:"confused"`         // the pairs of classes that are most taken for each other
	Classes     Table   `json:"classes"`
	Reliability *Figure `json:"reliability,omitempty"` // nil of metrics from before it was kept
	Mistakes    []Face  `json:"mistakes"`              // those of which it was surest
	LeastSure   []Face  `json:"leastsure"`             // whatever was right

	said []said
}

// said is the class that a run gave a row of the dataset.
type said struct {
	index int
	class string
}

// Matrix is a confusion matrix with the faces in it.
type Matrix struct {
	Classes []string `json:"classes"`
	Rows    [][]Cell `json:"rows"` // [true][predicted]
}

// Cell is one pair of classes.
type Cell struct {
	Anchor    string  `json:"-"`
	True      string  `json:"true"`
	Predicted string  `json:"predicted"`
	Count     int     `json:"count"`
	Share     float64 `json:"share"` // of the true class
	Right     bool    `json:"right"`
	Faces     []Face  `json:"faces"` // some of them, drawn by the rows' numbers, the same ones of every run
}

const (
	mostClasses = 30 // of a matrix on a screen
	cellFaces   = 12
	gallerySize = 24
	// mostFaces bounds the mentions of faces in all matrices of a page, so that a dozen
	// runs of FER2013 stay below 5 MB.
	mostFaces = 4800
	mostPairs = 12 // of classes that are told as confused
)

// tellRuns makes each run's part.
func (m *maker) tellRuns(list []compare.Comparison) error {
	called := names(list)
	cells := 0
	for _, c := range list {
		for _, r := range c.Reports {
			cells += len(r.Classes) * len(r.Classes)
		}
	}
	perCell := min(cellFaces, max(1, mostFaces/max(cells, 1)))
	for i, c := range list {
		dir, err := single(m.Config.Runs[i])
		if err != nil {
			return err
		}
		one, err := m.tellRun(fmt.Sprintf("run%d", i+1), dir, perCell)
		if err != nil {
			return err
		}
		one.Name, one.Dir, one.Model = called[i], c.Run, c.Model
		if c.Summary != nil {
			one.Notes = append(one.Notes, fmt.Sprintf("Of several runs of one setting this is %s; the figures of all are in the comparison.", path.Base(dir)))
		} else if len(list) == 1 {
			one.Curves = curves(list)
		}
		m.Report.Runs = append(m.Report.Runs, one)
	}
	if len(list) == 1 && list[0].Summary != nil {
		m.Compared = newCompared(list)
	}
	return nil
}

func (m *maker) tellRun(anchor, dir string, perCell int) (one Run, err error) {
	c, err := run.ReadConfig(dir)
	if err != nil {
		return one, err
	}
	reports, err := run.ReadMetrics(dir)
	if err != nil {
		return one, err
	}
	one = Run{Command: c.Command, Notes: append([]string{}, c.Notes...), Clean: metrics.CleanBases(reports...), Splits: []Judged{}}
	if one.Settings, err = settings(c); err != nil {
		return one, err
	}
	if len(reports) == 0 {
		one.Notes = append(one.Notes, "It was not judged yet: graft eval does that.")
		return one, nil
	}
	rows, err := metrics.Rows(reports...)
	if err != nil {
		return one, fmt.Errorf("run %s: %w", dir, err)
	}
	one.Summary = Table{"Figures with 95% intervals", rows[0], rows[1:]}
	for i, r := range reports {
		p, err := m.answers(dir, r, c)
		if err != nil {
			return one, err
		}
		one.Splits = append(one.Splits, m.judge(fmt.Sprintf("%s-split%d", anchor, i+1), r, p, perCell))
	}
	return one, nil
}

// answers are the predictions behind a report, nil where they are not there, are not of
// it, or are not of the dataset whose images are shown.
func (m *maker) answers(dir string, r metrics.Report, c run.Config) (*run.Predictions, error) {
	p, err := run.ReadProbabilities(dir, r.Split, c.Classes)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		m.note("%s has no predictions of %s, so none of its faces is shown (graft eval writes them)", dir, r.Split)
		return nil, nil
	}
	right := 0
	for _, ok := range p.Right() {
		if ok {
			right++
		}
	}
	if len(p.Labels) != r.Total || right != r.Correct {
		m.note("%s: its predictions of %s have %d of %d right, its metrics %d of %d; no faces of it are shown", dir, r.Split, right, len(p.Labels), r.Correct, r.Total)
		return nil, nil
	}
	for i, index := range p.Indices {
		if why := m.other(index, p.IDs[i], c.Classes[p.Labels[i]]); why != "" {
			m.noteOnce(dir+" was judged on other images than those shown, so that its faces are not: ", why)
			return nil, nil
		}
	}
	return p, nil
}

// other says how a row is none of the dataset's; where there is no dataset nothing is
// shown, and nothing can be wrong.
func (m *maker) other(index int, id, label string) string {
	if m.data == nil {
		return ""
	}
	if index < 0 || index >= len(m.data.Samples) {
		return fmt.Sprintf("row %d of %d of %s", index, len(m.data.Samples), m.data.Path)
	}
	if s := m.data.Samples[index]; s.ID != id || m.data.Classes[s.Label] != label {
		return fmt.Sprintf("row %d is %s (%s), and %s (%s) in %s", index, id, label, s.ID, m.data.Classes[s.Label], m.data.Path)
	}
	return ""
}

// judge makes a split's part.
func (m *maker) judge(anchor string, r metrics.Report, p *run.Predictions, perCell int) Judged {
	class := r.ClassRows()
	j := Judged{Split: r.Split, Classes: Table{"Classes, with 95% intervals", class[0], class[1:]}, Reliability: reliability(r), Confused: confused(r)}
	if len(r.Classes) <= mostClasses {
		j.Matrix = m.matrix(anchor, r, p, perCell)
	}
	if p != nil {
		j.Mistakes, j.LeastSure = m.galleries(r, p)
		for i, class := range p.Predicted {
			j.said = append(j.said, said{p.Indices[i], r.Classes[class].Name})
		}
	}
	return j
}

// confused are the pairs of classes that are most often taken for each other.
func confused(r metrics.Report) Table {
	type pair struct{ a, b, n int }
	var pairs []pair
	for a, row := range r.Confusion {
		for b, n := range row {
			if a != b && n > 0 {
				pairs = append(pairs, pair{a, b, n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(x, y pair) int { return y.n - x.n })
	t := Table{"Most frequent mistakes", []string{"true", "predicted", "images", "of the class"}, nil}
	for _, p := range pairs[:min(len(pairs), mostPairs)] {
		t.Rows = append(t.Rows, []string{r.Classes[p.a].Name, r.Classes[p.b].Name, fmt.Sprint(p.n), metrics.Share(p.n, r.Classes[p.a].Total)})
	}
	return t
}

// reliability draws how often predictions are right over how probable they are.
func reliability(r metrics.Report) *Figure {
	p := &chart.Plot{Title: "Reliability on " + r.Split, X: chart.Share("probability of the prediction"), Y: chart.Share("right"), Identity: true}
	bins := func(name string, colour int, c metrics.Calibration) {
		s := chart.Series{Name: name, Colour: colour, Dots: true}
		for _, b := range c.Reliability {
			if b.Count > 0 {
				s.Points = append(s.Points, chart.Point{X: *b.Confidence, Y: *b.Accuracy, Ends: b.Interval, Note: plural.Of(b.Count, "image")})
			}
		}
		p.Add(s)
	}
	note := "On the dashed line probabilities are what they say. Lines: 95% intervals."
	if r.Uncalibrated != nil {
		bins(fmt.Sprintf("before (error %.3f)", r.Uncalibrated.ECE), 1, *r.Uncalibrated)
		bins(fmt.Sprintf("after temperature %.3f (error %.3f)", r.Temperature, r.ECE), 0, r.Calibration)
	} else {
		bins(fmt.Sprintf("calibration error %.3f", r.ECE), 0, r.Calibration)
	}
	if len(p.Series) == 0 {
		return nil
	}
	return new(figure(p.Title, note, p))
}

// settings are config.json's values by their keys, in its order.
func settings(c run.Config) ([][]string, error) {
	c.Command = "" // stands by itself
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return flatten("", data)
}

func flatten(prefix string, data json.RawMessage) (rows [][]string, err error) {
	if len(data) == 0 || data[0] != '{' {
		return [][]string{{prefix, plain(data)}}, nil
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name := fmt.Sprint(key)
		if prefix != "" {
			name = prefix + "." + name
		}
		more, err := flatten(name, value)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// plain is a value as people write it: words without quotes, lists by commas.
func plain(data json.RawMessage) string {
	var word string
	if json.Unmarshal(data, &word) == nil {
		return word
	}
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		return string(data)
	}
	var words []string
	for _, v := range list {
		words = append(words, plain(v))
	}
	return strings.Join(words, ", ")
}
