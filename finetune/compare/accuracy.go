package compare

import (
	"fmt"
	"slices"

	"graft/finetune/metrics"
	"graft/finetune/run"
)

// accuracyTable has a line for each class of any run, and the overall figures.
func accuracyTable(list []Comparison, split string) Table {
	s := Table{Title: "Accuracy on " + split, Head: names(list)}
	add := func(name string, f figure) {
		s.Rows = append(s.Rows, row(name, list, func(c Comparison) string { return f.cell(c, split) }))
	}
	for _, class := range comparedClasses(list, split) {
		of := func(r metrics.Report) metrics.Class {
			at := slices.IndexFunc(r.Classes, func(c metrics.Class) bool { return c.Name == class })
			if at < 0 {
				return metrics.Class{Total: -1}
			}
			return r.Classes[at]
		}
		add(class, figure{func(r metrics.Report) string {
			c := of(r)
			if c.Total < 0 {
				return ""
			}
			return metrics.Share(c.Correct, c.Total)
		}, func(r metrics.Report) (float64, bool) { c := of(r); return c.Recall, c.Total > 0 }, percents})
	}
	add("overall", figure{func(r metrics.Report) string { return metrics.Share(r.Correct, r.Total) },
		func(r metrics.Report) (float64, bool) { return r.Accuracy, true }, percents})
	add("95% interval", figure{text: func(r metrics.Report) string {
		return fmt.Sprintf("%.1f–%.1f%%", 100*r.Interval[0], 100*r.Interval[1])
	}})
	if slices.ContainsFunc(list, func(c Comparison) bool {
		return slices.ContainsFunc(c.of(split), func(r metrics.Report) bool { return r.Clean != nil })
	}) {
		add("overall, clean", figure{metrics.Report.CleanText, func(r metrics.Report) (float64, bool) {
			if r.Clean == nil || r.Clean.Accuracy == nil {
				return 0, false
			}
			return *r.Clean.Accuracy, true
		}, percents})
	}
	add("cross-entropy", figure{func(r metrics.Report) string { return fmt.Sprintf("%.4f", r.Loss) },
		func(r metrics.Report) (float64, bool) { return r.Loss, true }, "%.4f ± %.4f"})
	return s
}

func comparedClasses(list []Comparison, split string) []string {
	var out []string
	for _, c := range list {
		for _, r := range c.Reports {
			for _, class := range r.Classes {
				if r.Split == split && !slices.Contains(out, class.Name) {
					out = append(out, class.Name)
				}
			}
		}
	}
	return out
}

// of are the reports on a split: one of a run, as many as there are of several.
func (c Comparison) of(split string) []metrics.Report {
	var out []metrics.Report
	for _, r := range c.Reports {
		if r.Split == split {
			out = append(out, r)
		}
	}
	return out
}

// figure is a line of an accuracy table.
type figure struct {
	text   func(metrics.Report) string          // of a run
	value  func(metrics.Report) (float64, bool) // of each of several, where it has one; nil shows nothing
	format string                               // of their mean and deviation
}

// percents are shares as they are shown of several runs.
const percents = "%.1f ± %.1f%%"

// cell is the figure on a split.
func (f figure) cell(c Comparison, split string) string {
	reports := c.of(split)
	switch {
	case len(reports) == 0:
		return ""
	case c.Summary == nil:
		return f.text(reports[0])
	}
	var values []float64
	for _, r := range reports {
		if f.value == nil {
			return "–"
		}
		if v, ok := f.value(r); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return ""
	}
	s := run.SpreadOf(values)
	if f.format == percents {
		s.Mean, s.Deviation = 100*s.Mean, 100*s.Deviation
	}
	return fmt.Sprintf(f.format, s.Mean, s.Deviation)
}
