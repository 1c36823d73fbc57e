package rank

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"graft/finetune/metrics"
)

// Report is the outcome, backbones with the best probe first.
type Report struct {
	Data        string   `json:"data"`
	Fingerprint string   `json:"fingerprint"` // of the sample
	Splits      []string `json:"splits"`
	Images      int      `json:"images"` // drawn
	Classes     []string `json:"classes"`
	Seed        uint64   `json:"seed"`
	Neighbours  int      `json:"neighbours"` // that vote, weighted; see package knn
	Folds       int      `json:"folds"`      // of the probe
	// Backbones are sorted by their best tap's probe, and of equal ones the
	// faster comes first.
	Backbones      []Backbone     `json:"backbones"`
	Tests          []Test         `json:"tests"` // of each two
	Recommendation Recommendation `json:"recommendation"`

	groups []int // of the backbones' rows
}

// Test is the probe of a backbone's best tap beside that of another's, on the same
// images.
type Test struct {
	Backbone string `json:"backbone"`
	Against  string `json:"against"`
	metrics.Paired
}

// Backbone is one backbone's part of a Report.
type Backbone struct {
	Name       string `json:"name"` // as it was asked for
	File       string `json:"file"`
	SHA256     string `json:"sha256"`
	Arch       string `json:"arch,omitempty"`
	Source     string `json:"source,omitempty"` // the checkpoint's file, or random:SEED
	Random     bool   `json:"random"`           // no pretrained weights
	Precision  string `json:"precision"`
	Provider   string `json:"provider"`
	Bytes      int64  `json:"bytes"`
	Parameters int64  `json:"parameters"`

	Images          int     `json:"images"`     // judged
	BadImages       int     `json:"bad_images"` // drawn but unreadable
	Batch           int     `json:"batch"`
	Seconds         float64 `json:"seconds"` // of the extraction
	ImagesPerSecond float64 `json:"images_per_second"`
	Taps            []Tap   `json:"taps"` // best probe first

	rows   []int // of the dataset, that were judged
	groups []int // of the rows, nil where they are not known
}

// Tap is one kind of feature.
type Tap struct {
	Name  string `json:"tap"`
	Dim   int    `json:"dim"`
	KNN   Score  `json:"knn"`
	Probe Score  `json:"probe"`

	right []bool // by the probe, row by row
}

// Score is an accuracy with its 95% interval (Wilson).
type Score struct {
	Total    int        `json:"total"`
	Correct  int        `json:"correct"`
	Accuracy float64    `json:"accuracy"`
	Interval [2]float64 `json:"accuracy_ci95"`
}

func newScore(right []bool) Score {
	s := Score{Total: len(right)}
	for _, hit := range right {
		if hit {
			s.Correct++
		}
	}
	s.Accuracy = float64(s.Correct) / float64(s.Total)
	s.Interval[0], s.Interval[1] = metrics.Wilson(s.Correct, s.Total)
	return s
}

// Recommendation is a backbone and tap to take, and why.
type Recommendation struct {
	Backbone string   `json:"backbone"`
	Tap      string   `json:"tap"`
	Equal    []string `json:"equal"` // backbones that cannot be told from the best, the best among them
	Text     string   `json:"text"`
}

// best is the tap that the backbone is judged by.
func (b Backbone) best() Tap { return b.Taps[0] }

// conclude sorts the report and draws its conclusion: backbones that cannot be told
// from the very best on these images count as equal to it, and of equals the
// fastest is taken.
func (r *Report) conclude() {
	for _, b := range r.Backbones {
		slices.SortStableFunc(b.Taps, func(x, y Tap) int {
			return cmp.Or(cmp.Compare(y.Probe.Accuracy, x.Probe.Accuracy), cmp.Compare(y.KNN.Accuracy, x.KNN.Accuracy))
		})
	}
	slices.SortStableFunc(r.Backbones, func(x, y Backbone) int {
		return cmp.Or(cmp.Compare(y.best().Probe.Accuracy, x.best().Probe.Accuracy), cmp.Compare(y.ImagesPerSecond, x.ImagesPerSecond))
	})
	r.test()
	top := r.Backbones[0]
	equal := []Backbone{top}
	for i, b := range r.Backbones[1:] {
		if r.Tests[i].Verdict == metrics.Equal { // the first tests are the best's
			equal = append(equal, b)
		}
	}
	for _, b := range equal {
		r.Recommendation.Equal = append(r.Recommendation.Equal, b.Name)
	}
	take := slices.MaxFunc(equal, func(x, y Backbone) int { return cmp.Compare(x.ImagesPerSecond, y.ImagesPerSecond) })
	r.Recommendation.Backbone, r.Recommendation.Tap = take.Name, take.best().Name
	r.Recommendation.Text = r.words(take, equal)
}

// test compares each two backbones, the best with all others first.
func (r *Report) test() {
	r.Tests = []Test{}
	var pairs []metrics.Pair
	for i, b := range r.Backbones {
		for _, other := range r.Backbones[i+1:] {
			pairs = append(pairs, metrics.Pair{This: b.best().right, Other: other.best().right})
			r.Tests = append(r.Tests, Test{Backbone: b.Name, Against: other.Name})
		}
	}
	for i, p := range metrics.ComparePairs(pairs, r.grouped(), r.Seed) {
		r.Tests[i].Paired = p
	}
}

// grouped are the groups of the images judged, each alone where they are not known.
func (r *Report) grouped() []int {
	if r.groups != nil {
		return r.groups
	}
	return metrics.Alone(r.Backbones[0].best().Probe.Total)
}

// words says the recommendation in a line.
func (r *Report) words(take Backbone, equal []Backbone) string {
	top := r.Backbones[0]
	what := fmt.Sprintf("Take %s with %s: probe %s", take.Name, r.tapsAsGood(take), take.best().Probe)
	switch {
	case len(r.Backbones) == 1:
		return what + "."
	case len(equal) == 1:
		next := r.Tests[0]
		return fmt.Sprintf("%s; the next, %s, has %.1f points less (%.1f to %.1f, p %.2g).", what, next.Against,
			100*next.Difference, 100*next.Interval[0], 100*next.Interval[1], next.Corrected)
	case take.Name == top.Name:
		return fmt.Sprintf("%s; %s not to be told from it on %d images, and it is the fastest of them (%.3g images/s).",
			what, areOthers(equal, take), take.Images, take.ImagesPerSecond)
	}
	return fmt.Sprintf("%s; %s not to be told from it on %d images, and it is the fastest of them (%.3g images/s, %s %.3g).",
		what, areOthers(equal, take), take.Images, take.ImagesPerSecond, top.Name, top.ImagesPerSecond)
}

// areOthers is "A is", or "A, B are".
func areOthers(equal []Backbone, but Backbone) string {
	var names []string
	for _, b := range equal {
		if b.Name != but.Name {
			names = append(names, b.Name)
		}
	}
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// tapsAsGood names the best tap, and how many others cannot be told from it.
func (r *Report) tapsAsGood(b Backbone) string {
	var pairs []metrics.Pair
	for _, t := range b.Taps[1:] {
		pairs = append(pairs, metrics.Pair{This: b.best().right, Other: t.right})
	}
	n := 0
	for _, p := range metrics.ComparePairs(pairs, r.grouped(), r.Seed) {
		if p.Verdict == metrics.Equal {
			n++
		}
	}
	switch n {
	case 0:
		return "tap " + b.best().Name
	case 1:
		return fmt.Sprintf("tap %s (another is as good)", b.best().Name)
	}
	return fmt.Sprintf("tap %s (%d others are as good)", b.best().Name, n)
}

// String is "52.0% (49.8–54.2)".
func (s Score) String() string {
	return fmt.Sprintf("%.1f%% (%.1f–%.1f)", 100*s.Accuracy, 100*s.Interval[0], 100*s.Interval[1])
}
