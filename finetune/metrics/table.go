package metrics

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/internal/columns"
)

// Share is "90.9% (10/11)", rounded, or "n/a (0/0)".
func Share(correct, total int) string {
	if total == 0 {
		return "n/a (0/0)"
	}
	return fmt.Sprintf("%.1f%% (%d/%d)", 100*float64(correct)/float64(total), correct, total)
}

// WriteConfusion prints the confusion matrix, a row per true class and a
// column per predicted one.
func (r Report) WriteConfusion(w io.Writer) error {
	t := columns.NewRight(w, 2)
	fmt.Fprint(t, "true \\ predicted\t")
	for _, c := range r.Classes {
		fmt.Fprintf(t, "%s\t", c.Name)
	}
	fmt.Fprintln(t)
	for i, row := range r.Confusion {
		fmt.Fprintf(t, "%s\t", r.Classes[i].Name)
		for _, n := range row {
			fmt.Fprintf(t, "%d\t", n)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// figures are the rows of WriteTable under the classes.
var figures = []struct {
	name string
	text func(Report) string
	of   func(Report) bool // a row that is of none of the reports is left out; nil: of all
}{
	{"accuracy", func(r Report) string { return Share(r.Correct, r.Total) }, nil},
	{"95% interval", func(r Report) string { return percentRange(r.Interval) }, nil},
	{"clean accuracy", Report.CleanText, Report.knowsClean},
	{"95% interval", Report.cleanInterval, Report.knowsClean},
	{"balanced accuracy", func(r Report) string { return percent(r.Balanced, r.BalancedInterval) }, nil},
	{"top 2, 3, 5", func(r Report) string { return topText(r.TopK) }, nil},
	{"macro F1", func(r Report) string { return figureText(3, &r.MacroF1, r.MacroF1Interval) }, nil},
	{"Cohen's kappa", func(r Report) string { return figureText(3, r.Kappa, r.KappaInterval) }, nil},
	{"AUROC", func(r Report) string { return figureText(3, r.AUROC, r.AUROCInterval) }, nil},
	{"average precision", func(r Report) string { return figureText(3, r.Precision, r.PrecisionInterval) }, nil},
	{"cross-entropy", func(r Report) string { return r.Calibration.loss() }, nil},
	{"Brier score", func(r Report) string { return r.Calibration.brier() }, nil},
	{"calibration error", func(r Report) string { return r.Calibration.error() }, nil},
	{"temperature", func(r Report) string { return figureText(3, &r.Temperature, nil) }, Report.cooled},
	{"  cross-entropy at 1", func(r Report) string { return r.atOne().loss() }, Report.cooled},
	{"  Brier score at 1", func(r Report) string { return r.atOne().brier() }, Report.cooled},
	{"  calibration error at 1", func(r Report) string { return r.atOne().error() }, Report.cooled},
	{"sets hold the label", func(r Report) string { return r.sets().share() }, Report.hasSets},
	{"  classes in a set", func(r Report) string { return r.sets().size() }, Report.hasSets},
	{"  hold it, clean rows", func(r Report) string { return r.cleanSets().share() }, Report.hasCleanSets},
	{"  classes, clean rows", func(r Report) string { return r.cleanSets().size() }, Report.hasCleanSets},
}

func (r Report) knowsClean() bool   { return r.Clean != nil }
func (r Report) cooled() bool       { return r.Uncalibrated != nil }
func (r Report) hasSets() bool      { return r.Conformal != nil }
func (r Report) hasCleanSets() bool { return r.hasSets() && r.Conformal.Clean != nil }

// atOne is the calibration at temperature 1.
func (r Report) atOne() Calibration {
	if !r.cooled() {
		return r.Calibration
	}
	return *r.Uncalibrated
}

func (c Calibration) loss() string  { return figureText(4, &c.Loss, c.LossInterval) }
func (c Calibration) brier() string { return figureText(3, &c.Brier, c.BrierInterval) }
func (c Calibration) error() string { return figureText(3, &c.ECE, c.ECEInterval) }

// sets and cleanSets are of no rows where there are none.
func (r Report) sets() (c Coverage) {
	if r.hasSets() {
		c = r.Conformal.Coverage
	}
	return c
}

func (r Report) cleanSets() (c Coverage) {
	if r.hasCleanSets() {
		c = *r.Conformal.Clean
	}
	return c
}

func (c Coverage) share() string { return Share(c.Covered, c.Total) }
func (c Coverage) size() string  { return figureText(2, c.MeanSize, c.SizeInterval) }

// figureText is "0.667 (0.612–0.721)", "n/a" where it is not defined; reports of
// earlier versions have no intervals.
func figureText(digits int, v *float64, interval *[2]float64) string {
	switch {
	case v == nil:
		return "n/a"
	case interval == nil:
		return fmt.Sprintf("%.*f", digits, *v)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, *v, digits, interval[0], digits, interval[1])
}

func percentRange(interval [2]float64) string {
	return fmt.Sprintf("%.1f–%.1f%%", 100*interval[0], 100*interval[1])
}

func percent(v float64, interval *[2]float64) string {
	if interval == nil {
		return fmt.Sprintf("%.1f%%", 100*v)
	}
	return fmt.Sprintf("%.1f%% (%.1f–%.1f%%)", 100*v, 100*interval[0], 100*interval[1])
}

func topText(list []TopK) string {
	var shares []string
	for _, t := range list {
		shares = append(shares, percent(t.Accuracy, nil))
	}
	return cmp.Or(strings.Join(shares, ", "), "n/a")
}

// WriteReliability prints the reliability table: of the predictions in each bin of
// probabilities how many there are, their mean probability, and how many are right.
func (c Calibration) WriteReliability(w io.Writer) error {
	t := columns.NewRight(w, 2)
	fmt.Fprintln(t, "probability\tpredictions\tmean\tright\t")
	for i, b := range c.Reliability {
		if b.Count > 0 {
			fmt.Fprintf(t, "%.2f–%.2f\t%d\t%.3f\t%s\t\n", float64(i)/bins, float64(i+1)/bins, b.Count, *b.Confidence, figureText(3, b.Accuracy, b.Interval))
		}
	}
	return t.Flush()
}

// Rows are splits side by side: a head, a line per class, named as it is given, then
// the figures of the whole with 95% intervals. All reports must be over the same
// classes, and there is one at least.
func Rows(reports ...Report) (rows [][]string, err error) {
	row := func(name string, cell func(Report) string) {
		line := []string{name}
		for _, r := range reports {
			line = append(line, cell(r))
		}
		rows = append(rows, line)
	}
	row("", func(r Report) string { return r.Split })
	for i, c := range reports[0].Classes {
		for _, r := range reports {
			if i >= len(r.Classes) || r.Classes[i].Name != c.Name {
				return nil, fmt.Errorf("splits %s and %s are over different classes", reports[0].Split, r.Split)
			}
		}
		row(c.Name+":", func(r Report) string { return Share(r.Classes[i].Correct, r.Classes[i].Total) })
	}
	for _, f := range figures {
		if f.of == nil || slices.ContainsFunc(reports, f.of) {
			row(f.name, f.text)
		}
	}
	return rows, nil
}

// ClassRows are a split's classes with a head: how many there are and are right, and
// their figures with 95% intervals.
func (r Report) ClassRows() [][]string {
	rows := [][]string{{"class", "samples", "right", "precision", "recall", "F1", "AUROC", "average precision"}}
	for _, c := range r.Classes {
		rows = append(rows, []string{c.Name, fmt.Sprint(c.Total), fmt.Sprint(c.Correct), percent(c.Precision, c.PrecisionInterval), percent(c.Recall, c.RecallInterval),
			figureText(3, &c.F1, c.F1Interval), figureText(3, c.AUROC, c.AUROCInterval), figureText(3, c.Average, c.AverageInterval)})
	}
	return rows
}

// CleanBases say what the clean rows of reports are without, each sentence once.
func CleanBases(reports ...Report) (told []string) {
	for _, r := range reports {
		if r.Clean == nil {
			continue
		}
		if s := "clean: without the rows whose image, or a near duplicate of it, is in " + r.Clean.Basis; !slices.Contains(told, s) {
			told = append(told, s)
		}
	}
	return told
}

// WriteTable prints Rows.
func WriteTable(w io.Writer, reports ...Report) error {
	if len(reports) == 0 {
		return nil
	}
	rows, err := Rows(reports...)
	if err != nil {
		return err
	}
	t := columns.New(w, 3)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	for _, s := range CleanBases(reports...) {
		fmt.Fprintln(t, s)
	}
	return t.Flush()
}
