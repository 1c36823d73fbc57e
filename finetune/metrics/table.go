package metrics

import (
	"fmt"
	"io"
	"text/tabwriter"
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
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
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
}{
	{"accuracy", func(r Report) string { return Share(r.Correct, r.Total) }},
	{"95% interval", func(r Report) string { return fmt.Sprintf("%.1f–%.1f%%", 100*r.Interval[0], 100*r.Interval[1]) }},
	{"balanced accuracy", func(r Report) string { return fmt.Sprintf("%.1f%%", 100*r.Balanced) }},
	{"macro F1", func(r Report) string { return fmt.Sprintf("%.3f", r.MacroF1) }},
	{"cross-entropy", func(r Report) string { return fmt.Sprintf("%.4f", r.Loss) }},
	{"calibration error", func(r Report) string { return fmt.Sprintf("%.3f", r.ECE) }},
}

// WriteTable prints splits side by side: a line per class, named as it is given,
// then the figures of the whole with 95% intervals. All reports must be over the
// same classes.
func WriteTable(w io.Writer, reports ...Report) error {
	if len(reports) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	row := func(name string, cell func(Report) string) {
		fmt.Fprint(t, name)
		for _, r := range reports {
			fmt.Fprintf(t, "\t%s", cell(r))
		}
		fmt.Fprintln(t)
	}
	row("", func(r Report) string { return r.Split })
	for i, c := range reports[0].Classes {
		for _, r := range reports {
			if i >= len(r.Classes) || r.Classes[i].Name != c.Name {
				return fmt.Errorf("splits %s and %s are over different classes", reports[0].Split, r.Split)
			}
		}
		row(c.Name+":", func(r Report) string { return Share(r.Classes[i].Correct, r.Classes[i].Total) })
	}
	for _, f := range figures {
		row(f.name, f.text)
	}
	return t.Flush()
}
