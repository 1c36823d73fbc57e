package rank

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/columns"
	"graft/internal/plural"
)

// WriteTable prints a line for each backbone and tap, what is to be known of the
// figures, and the recommendation.
func (r Report) WriteTable(w io.Writer) error {
	t := columns.New(w, 2)
	fmt.Fprintf(t, "%s of %s (%s), every class by its share; 95%% intervals\n", plural.Of(r.Images, "image"), r.Data, strings.Join(r.Splits, ", "))
	fmt.Fprintf(t, "k-NN: %d nearest of the other images, weighted votes\n", r.Neighbours)
	fmt.Fprintf(t, "probe: logistic regression, %d-fold cross-validation\n\n", r.Folds)
	fmt.Fprintln(t, "backbone\tweights\tfile\timages/s\tseconds")
	for _, b := range r.Backbones {
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%.1f\n", b.Name, short(b.Parameters, "M"), short(b.Bytes, " MB"), b.ImagesPerSecond, b.Seconds)
	}
	fmt.Fprintln(t, "\nbackbone\ttap\twidth\tk-NN\tprobe")
	for _, b := range r.Backbones {
		name := b.Name
		for _, tap := range b.Taps {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", name, tap.Name, tap.Dim, tap.KNN, tap.Probe)
			name = ""
		}
	}
	fmt.Fprintln(t)
	r.writeTests(t)
	for _, n := range r.notes() {
		fmt.Fprintf(t, "note: %s\n", n)
	}
	fmt.Fprintln(t, r.Recommendation.Text)
	return t.Flush()
}

// writeTests prints a line for each two backbones, nothing if there is one.
func (r Report) writeTests(t io.Writer) {
	if len(r.Tests) == 0 {
		return
	}
	fmt.Fprintln(t, "probes of the best taps on the same images, points of accuracy; exact McNemar test, p corrected by Holm")
	fmt.Fprintf(t, "\t%s\n", strings.Join(metrics.ContrastColumns, "\t"))
	for _, p := range r.Tests {
		fmt.Fprintf(t, "%s − %s\t%s\n", p.Backbone, p.Against, strings.Join(p.Cells(p.Backbone, p.Against), "\t"))
	}
	fmt.Fprintln(t)
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
