package run

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/columns"
	"graft/internal/plural"
)

// Spreads are the figures of several runs on one split; the split ByFold is each
// run's own fold.
type Spreads struct {
	Split   string            `json:"split"`
	Figures map[string]Spread `json:"figures"` // by their names in a report
}

// Spread is a figure's over runs. A run that does not define it is left out.
type Spread struct {
	Runs      int     `json:"runs"`
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"` // of the sample, with Runs−1 below; 0 of a single run
	Least     float64 `json:"min"`
	Most      float64 `json:"max"`
}

// SpreadOf summarises values, of which there is one at least.
func SpreadOf(values []float64) Spread {
	s := Spread{Runs: len(values), Least: slices.Min(values), Most: slices.Max(values)}
	for _, v := range values {
		s.Mean += v / float64(len(values))
	}
	if len(values) > 1 {
		for _, v := range values {
			s.Deviation += (v - s.Mean) * (v - s.Mean) / float64(len(values)-1)
		}
		s.Deviation = math.Sqrt(s.Deviation)
	}
	return s
}

// summarize makes the figures of all runs' reports: of each split, in order of
// appearance, every number of a report by its name, and the clean rows' as
// "clean.accuracy".
func (s *Summary) summarize(reports []metrics.Report) error {
	s.Splits = nil
	values := map[string]map[string][]float64{}
	for _, r := range reports {
		split := s.Split(r.Split)
		if values[split] == nil {
			values[split] = map[string][]float64{}
			s.Splits = append(s.Splits, Spreads{Split: split})
		}
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			return err
		}
		collect(values[split], "", fields)
	}
	for i, one := range s.Splits {
		s.Splits[i].Figures = map[string]Spread{}
		for name, list := range values[one.Split] {
			s.Splits[i].Figures[name] = SpreadOf(list)
		}
	}
	return nil
}

// collect adds the numbers of a report's JSON by their names.
func collect(values map[string][]float64, prefix string, fields map[string]any) {
	for name, v := range fields {
		switch v := v.(type) {
		case float64:
			values[prefix+name] = append(values[prefix+name], v)
		case map[string]any:
			if name == "clean" {
				collect(values, name+".", v)
			}
		}
	}
}

// Split is what a run's split is called among those of all: folds are one.
func (s Summary) Split(name string) string {
	if _, ok := s.number(name); ok && s.By == ByFold {
		return ByFold
	}
	return name
}

// WriteTable prints mean ± deviation of the figures that people look for, a column
// for each split.
func (s Summary) WriteTable(w io.Writer) error {
	t := columns.New(w, 3)
	fmt.Fprintf(t, "%s, by %s", plural.Of(len(s.Runs), "run"), s.By)
	for _, one := range s.Splits {
		fmt.Fprintf(t, "\t%s", one.Split)
	}
	fmt.Fprintln(t)
	for _, f := range []struct{ name, field, format string }{
		{"accuracy", "accuracy", "%.1f ± %.1f%%"}, {"of clean rows", "clean.accuracy", "%.1f ± %.1f%%"},
		{"balanced accuracy", "balanced_accuracy", "%.1f ± %.1f%%"}, {"macro F1", "macro_f1", "%.3f ± %.3f"},
		{"cross-entropy", "loss", "%.4f ± %.4f"}, {"calibration error", "ece", "%.3f ± %.3f"},
	} {
		line, known := f.name, false
		for _, one := range s.Splits {
			v, ok := one.Figures[f.field]
			known = known || ok
			scale := 1.0
			if strings.HasSuffix(f.format, "%%") {
				scale = 100
			}
			line += "\t" + map[bool]string{true: fmt.Sprintf(f.format, scale*v.Mean, scale*v.Deviation), false: "n/a"}[ok]
		}
		if known {
			fmt.Fprintln(t, line)
		}
	}
	return t.Flush()
}
