package check

import (
	"errors"
	"fmt"
	"io"
	"math"

	"graft/internal/columns"
	"graft/internal/plural"
)

// Report is the outcome of a comparison.
type Report struct {
	A      Side   `json:"a"` // the reference
	B      Side   `json:"b"`
	Data   string `json:"data"`
	Images int    `json:"images"`
	Taps   []Tap  `json:"taps"`
	Probe  Probe  `json:"probe"`
}

// Side is one of the two backbones.
type Side struct {
	Name            string  `json:"name"`
	SHA256          string  `json:"sha256"`
	Precision       string  `json:"precision"`
	Provider        string  `json:"provider"`
	ImagesPerSecond float64 `json:"images_per_second,omitempty"` // where it ran for this comparison
}

// Tap compares one kind of feature.
type Tap struct {
	Name          string  `json:"name"`
	Dim           int     `json:"dim"`
	MeanCosine    float64 `json:"mean_cosine"`
	MinCosine     float64 `json:"min_cosine"`
	Worst         string  `json:"worst"`          // the image of the least cosine
	RelativeError float64 `json:"relative_error"` // ‖a−b‖/‖a‖ over all images
	// Probes are empty where the report's Probe was skipped.
	Probes []Judgement `json:"probes"`
}

// Probe says how the probes were trained.
type Probe struct {
	Train   string  `json:"train"` // on what
	Images  int     `json:"images"`
	Lambda  float64 `json:"lambda"`
	Skipped string  `json:"skipped,omitempty"` // why there are none
}

// Judgement compares the probes of a tap on the images of a split.
type Judgement struct {
	Split     string  `json:"split"`
	Images    int     `json:"images"`
	CorrectA  int     `json:"correct_a"`
	CorrectB  int     `json:"correct_b"`
	AccuracyA float64 `json:"accuracy_a"`
	AccuracyB float64 `json:"accuracy_b"`
	Loss      float64 `json:"loss"`     // accuracy of A less that of B
	Interval  float64 `json:"interval"` // half the width of the loss's 95% interval
}

// WriteTable prints the report for people.
func (r Report) WriteTable(out io.Writer) error {
	w := columns.New(out, 2)
	fmt.Fprintf(w, "A\t%s\nB\t%s\nimages\t%d of %s\n", r.A.line(), r.B.line(), r.Images, r.Data)
	if r.Probe.Skipped != "" {
		fmt.Fprintf(w, "probe\tnone: %s\n", r.Probe.Skipped)
	} else {
		fmt.Fprintf(w, "probe\tL-BFGS, λ %g, on A's and on B's features of %s: %s%s\n", r.Probe.Lambda, plural.Of(r.Probe.Images, "image"), r.Probe.Train, r.judgedOn())
	}
	fmt.Fprintln(w, "\ntap\twidth\tcosine mean\tleast\trelative error")
	for _, t := range r.Taps {
		fmt.Fprintf(w, "%s\t%d\t%.5f\t%.5f\t%.2e\n", t.Name, t.Dim, t.MeanCosine, t.MinCosine, t.RelativeError)
	}
	r.writeProbes(w)
	fmt.Fprintf(w, "\n%s\n", r.Verdict().Text)
	return w.Flush()
}

// writeProbes prints the accuracy of each tap's probes.
func (r Report) writeProbes(w io.Writer) {
	if len(r.Taps) == 0 || len(r.Taps[0].Probes) == 0 {
		return
	}
	fmt.Fprint(w, "\nprobes")
	for _, j := range r.Taps[0].Probes {
		fmt.Fprintf(w, "\t%s: A\tB\tloss", j.Split)
	}
	fmt.Fprintln(w)
	for _, t := range r.Taps {
		fmt.Fprint(w, t.Name)
		for _, j := range t.Probes {
			fmt.Fprintf(w, "\t%.1f%%\t%.1f%%\t%.1f ±%.1f", 100*j.AccuracyA, 100*j.AccuracyB, 100*j.Loss, 100*j.Interval)
		}
		fmt.Fprintln(w)
	}
}

// judgedOn says on how many images the probes are judged.
func (r Report) judgedOn() (text string) {
	if len(r.Taps) == 0 {
		return ""
	}
	for _, j := range r.Taps[0].Probes {
		text += fmt.Sprintf("; judged on %d of %s", j.Images, j.Split)
	}
	return text
}

func (s Side) line() string {
	line := fmt.Sprintf("%s, %s on %s", s.Name, s.Precision, s.Provider)
	if s.ImagesPerSecond > 0 {
		line += fmt.Sprintf(", %.1f images/s", s.ImagesPerSecond)
	}
	return line
}

// compare fills in the similarity of the rows of x and y, [n,Dim] each, which
// stores keep finite.
func (t *Tap) compare(x, y []float32, ids []string) error {
	var apart, size float64
	t.MinCosine = math.Inf(1)
	for i, id := range ids {
		from, to := i*t.Dim, (i+1)*t.Dim
		d := measure(x[from:to], y[from:to])
		apart, size = apart+d.apart, size+d.xx
		c := d.cosine()
		t.MeanCosine += c / float64(len(ids))
		if c < t.MinCosine {
			t.MinCosine, t.Worst = c, id
		}
	}
	if size == 0 {
		return errors.New("the reference's features are all zero")
	}
	t.RelativeError = math.Sqrt(apart / size)
	return nil
}

// distance holds sums over one image's features.
type distance struct{ xx, yy, xy, apart float64 }

func measure(x, y []float32) (d distance) {
	for j := range x {
		a, b := float64(x[j]), float64(y[j])
		d.xx += a * a
		d.yy += b * b
		d.xy += a * b
		d.apart += (a - b) * (a - b)
	}
	return d
}

// cosine is 1 for two zero vectors and 0 for one.
func (d distance) cosine() float64 {
	switch {
	case d.xx == 0 && d.yy == 0:
		return 1
	case d.xx == 0 || d.yy == 0:
		return 0
	}
	return d.xy / math.Sqrt(d.xx*d.yy)
}
