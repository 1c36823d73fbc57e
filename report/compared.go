package report

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"graft/finetune/compare"
	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/report/chart"
)

// Compared is several models side by side.
type Compared struct {
	Tables  []Table  `json:"tables"` // graft compare's, with the tests of which is better
	Curves  []Figure `json:"curves"`
	Figures []Figure `json:"figures"` // accuracy against what it costs
}

func newCompared(list []compare.Comparison) *Compared {
	c := &Compared{Curves: curves(list)}
	for _, t := range compare.Tables(list) {
		if t.Title != compare.LearningTitle { // the curves tell it, and their numbers stand there
			c.Tables = append(c.Tables, Table(t))
		}
	}
	for _, split := range compare.Splits(list) {
		c.Figures = append(c.Figures,
			against(list, split, "trained parameters", "", func(c compare.Comparison) float64 { return float64(c.Parameters) }),
			against(list, split, "multiply-accumulates an image", "Of a head, and of a tuned network, without the backbone.", func(c compare.Comparison) float64 { return float64(c.MACs) }),
			against(list, split, "seconds of training", "All epochs; of a head without the extraction of its features.", func(c compare.Comparison) float64 { return float64(c.Epochs) * c.Seconds }))
	}
	return c
}

// names are short where that tells the runs apart.
func names(list []compare.Comparison) []string {
	var short, long []string
	for _, c := range list {
		short, long = append(short, path.Base(c.Run)), append(long, c.Run)
	}
	for i, name := range short {
		if slices.Index(short, name) != i {
			return long
		}
	}
	return short
}

// curves are losses and accuracies by epoch, those of L-BFGS by themselves: its
// iterations are no epochs.
func curves(list []compare.Comparison) (out []Figure) {
	called := names(list)
	for _, lbfgs := range []bool{false, true} {
		x := chart.Axis{Label: "epoch", Whole: true}
		note := "Dashed: train, as each step saw it. Solid: validation."
		if lbfgs {
			x.Label, note = "iteration of L-BFGS", "Dashed: train, of what is minimised."
		}
		loss := &chart.Plot{Title: "Loss", X: x, Y: chart.Axis{Label: "cross-entropy, nats"}}
		accuracy := &chart.Plot{Title: "Validation accuracy", X: x, Y: chart.Axis{Label: "accuracy", Percent: true}}
		for i, c := range list {
			if strings.Contains(c.Model, run.RecipeLBFGS) != lbfgs {
				continue
			}
			seen := points(c.History, func(e fit.Epoch) *float64 { return &e.TrainLoss })
			watched := points(c.History, func(e fit.Epoch) *float64 { return e.ValidationLoss })
			loss.Add(chart.Series{Name: called[i] + ", train", Colour: i, Dashed: true, Unlisted: len(watched) > 0, Points: seen})
			loss.Add(chart.Series{Name: called[i], Colour: i, Points: watched})
			loss.Y.Log = loss.Y.Log || far(slices.Concat(seen, watched))
			accuracy.Add(chart.Series{Name: called[i], Colour: i, Dots: true, Points: points(c.History, func(e fit.Epoch) *float64 { return e.ValidationAccuracy })})
		}
		for _, p := range []*chart.Plot{loss, accuracy} {
			if len(p.Series) > 0 {
				out = append(out, figure(p.Title+" by "+x.Label, note, p))
			}
			note = ""
		}
	}
	return out
}

// far tells losses that would press all others flat: the first ones of a bad start.
func far(losses []chart.Point) bool {
	for _, p := range losses {
		if p.Y > 8*losses[len(losses)-1].Y {
			return true
		}
	}
	return false
}

func points(history []fit.Epoch, of func(fit.Epoch) *float64) (out []chart.Point) {
	for _, e := range history {
		if v := of(e); v != nil {
			out = append(out, chart.Point{X: float64(e.Number), Y: *v})
		}
	}
	return out
}

// against draws accuracy over a cost, a number for each model.
func against(list []compare.Comparison, split, label, note string, cost func(compare.Comparison) float64) Figure {
	p := &chart.Plot{Title: "Accuracy on " + split, X: chart.Axis{Label: label, Log: true}, Y: chart.Axis{Label: "accuracy", Percent: true}}
	called := names(list)
	for i, c := range list {
		var values []float64
		var ends [2]float64
		for _, r := range c.Reports {
			if r.Split == split {
				values, ends = append(values, r.Accuracy), r.Interval
			}
		}
		if len(values) == 0 || !(cost(c) > 0) {
			continue
		}
		s := run.SpreadOf(values)
		if len(values) > 1 {
			ends = [2]float64{s.Least, s.Most}
		}
		p.Add(chart.Series{Name: called[i], Colour: i, Number: i + 1, Points: []chart.Point{{X: cost(c), Y: s.Mean, Ends: &ends, Note: cleanNote(c, split)}}})
	}
	return figure(fmt.Sprintf("Accuracy on %s against %s", split, label), strings.TrimSpace(note+" Lines: 95% intervals; of several runs the least and the most."), p)
}

func cleanNote(c compare.Comparison, split string) string {
	at := slices.IndexFunc(c.Reports, func(r metrics.Report) bool { return r.Split == split && r.Clean != nil })
	if at < 0 || c.Summary != nil {
		return ""
	}
	return "clean " + c.Reports[at].CleanText()
}
