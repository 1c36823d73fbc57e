package rank

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"graft/finetune/metrics"
)

// WriteTable prints a line for each backbone and tap, what is to be known of the
// figures, and the recommendation.
func (r Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "%d images of %s (%s), every class by its share; 95%% intervals\n", r.Images, r.Data, strings.Join(r.Splits, ", "))
	fmt.Fprintf(w, "k-NN: %d nearest of the other images, weighted votes; probe: logistic regression, %d-fold cross-validation\n\n", r.Neighbours, r.Folds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "backbone\tweights\tfile\timages/s\tseconds\ttap\twidth\tk-NN\tprobe")
	for _, b := range r.Backbones {
		columns := fmt.Sprintf("%s\t%s\t%s\t%.1f\t%.1f", b.Name, short(b.Parameters, "M"), short(b.Bytes, " MB"), b.ImagesPerSecond, b.Seconds)
		for _, tap := range b.Taps {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", columns, tap.Name, tap.Dim, tap.KNN, tap.Probe)
			columns = strings.Repeat("\t", strings.Count(columns, "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := r.writeTests(w); err != nil {
		return err
	}
	for _, n := range r.notes() {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	_, err := fmt.Fprintln(w, r.Recommendation.Text)
	return err
}

// writeTests prints a line for each two backbones, nothing if there is one.
func (r Report) writeTests(w io.Writer) error {
	if len(r.Tests) == 0 {
		return nil
	}
	fmt.Fprintln(w, "probes of the best taps on the same images, points of accuracy; exact McNemar test, p corrected by Holm")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\t%s\n", strings.Join(metrics.ContrastColumns, "\t"))
	for _, p := range r.Tests {
		fmt.Fprintf(t, "%s − %s\t%s\n", p.Backbone, p.Against, strings.Join(p.Cells(p.Backbone, p.Against), "\t"))
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// notes are what a reader of the figures must know.
func (r Report) notes() (out []string) {
	bad := 0
	for _, b := range r.Backbones {
		if b.Random {
			out = append(out, fmt.Sprintf("%s has no pretrained weights: they were drawn at random.", b.Name))
		}
		bad = max(bad, b.BadImages)
	}
	if bad > 0 {
		out = append(out, fmt.Sprintf("%d of the drawn images could not be read.", bad))
	}
	return out
}

// short is a number in millions.
func short(n int64, unit string) string { return fmt.Sprintf("%.3g%s", float64(n)/1e6, unit) }

// line says in short how a backbone did.
func (b Backbone) line() string {
	best := slices.MaxFunc(b.Taps, func(x, y Tap) int { return cmp.Compare(x.Probe.Accuracy, y.Probe.Accuracy) })
	return fmt.Sprintf("%s: %.1f images/s, best probe %s with %s", b.Name, b.ImagesPerSecond, best.Probe, best.Name)
}
