package check

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"graft/finetune/head"
	"graft/finetune/metrics"
	"graft/internal/plural"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

const (
	holdOut = "hold-out"
	// heldShare is the part of the images that judges where there is no other split.
	heldShare = 1.0 / 3
	// leastImages is what a probe needs on either side to mean anything.
	leastImages = 20
	// strength is the penalty λ of both probes' fits.
	strength = 0.01
	z95      = 1.96 // standard deviations of a 95% interval
)

// probe is how the probes are trained and judged.
type probe struct {
	Probe
	fitted []int            // rows of the store
	judged map[string][]int // by split

	threads int
}

// plan chooses the rows: train trains and every other split judges; with one
// split, or without train, a third of the images is held out, every class by its
// share.
func plan(s *store.Store, seed uint64) probe {
	p := probe{Probe: Probe{Lambda: strength}, judged: map[string][]int{}}
	labels := make([]int, len(s.Rows()))
	for i, r := range s.Rows() {
		labels[i] = r.Label
		if r.Split == dataset.Train {
			p.fitted = append(p.fitted, i)
		} else {
			p.judged[r.Split] = append(p.judged[r.Split], i)
		}
	}
	p.Train = "the images of " + dataset.Train
	if len(p.fitted) == 0 || len(p.judged) == 0 {
		fitted, held, err := head.HoldOut(labels, len(s.Classes()), nil, heldShare, seed)
		if err != nil {
			return p.skip(err.Error())
		}
		p.fitted, p.judged = fitted, map[string][]int{holdOut: held}
		p.Train = "two thirds of the images; a third is held out"
	}
	return p.check(labels)
}

func (p probe) check(labels []int) probe {
	p.Images = len(p.fitted)
	kinds := map[int]bool{}
	for _, i := range p.fitted {
		kinds[labels[i]] = true
	}
	if len(kinds) < 2 {
		return p.skip(fmt.Sprintf("%s among the images to train on, want 2 or more", plural.Of(len(kinds), "class")))
	}
	for _, split := range p.splits() {
		if n := min(len(p.judged[split]), p.Images); n < leastImages {
			return p.skip(fmt.Sprintf("%s to train on and %d of %s to judge on, want %d or more", plural.Of(p.Images, "image"), len(p.judged[split]), split, leastImages))
		}
	}
	return p
}

func (p probe) skip(why string) probe { return probe{Probe: Probe{Skipped: why}} }

func (p probe) splits() []string {
	out := slices.Sorted(maps.Keys(p.judged))
	slices.Reverse(out) // public-test before private-test
	return out
}

// judge trains on x and on y, [n,dim] each, and compares the answers.
func (p probe) judge(ctx context.Context, x, y []float32, dim int, labels []int, classes int) ([]Judgement, error) {
	if p.Skipped != "" {
		return nil, nil
	}
	a, err := p.fit(ctx, x, dim, labels, classes)
	if err != nil {
		return nil, err
	}
	b, err := p.fit(ctx, y, dim, labels, classes)
	if err != nil {
		return nil, err
	}
	var out []Judgement
	for _, split := range p.splits() {
		rows := p.judged[split]
		out = append(out, judgement(split, p.correct(a, x, rows, labels), p.correct(b, y, rows, labels)))
	}
	return out, nil
}

func (p probe) fit(ctx context.Context, x []float32, dim int, labels []int, classes int) (*head.Linear, error) {
	var some []int
	for _, i := range p.fitted {
		some = append(some, labels[i])
	}
	l, _, err := head.FitLBFGS(ctx, gather(x, dim, p.fitted), len(some), dim, some, classes, head.LBFGSOptions{Lambda: p.Lambda, Threads: p.threads})
	return l, err
}

func gather(x []float32, dim int, rows []int) []float32 {
	out := make([]float32, 0, len(rows)*dim)
	for _, i := range rows {
		out = append(out, x[i*dim:(i+1)*dim]...)
	}
	return out
}

// correct tells of each row whether the head names its class.
func (p probe) correct(l *head.Linear, x []float32, rows, labels []int) []bool {
	z := l.Logits(gather(x, l.Dim, rows), len(rows), p.threads)
	out := make([]bool, len(rows))
	for i, row := range rows {
		out[i] = metrics.Argmax(z[i*l.Classes:(i+1)*l.Classes]) == labels[row]
	}
	return out
}

// judgement counts the answers of both. The interval of the difference follows
// from the images on which they disagree (McNemar 1947).
func judgement(split string, a, b []bool) Judgement {
	j := Judgement{Split: split, Images: len(a)}
	lost, won := 0, 0
	for i := range a {
		if a[i] {
			j.CorrectA++
		}
		if b[i] {
			j.CorrectB++
		}
		if a[i] && !b[i] {
			lost++
		}
		if b[i] && !a[i] {
			won++
		}
	}
	n := float64(len(a))
	diff := float64(lost - won)
	j.AccuracyA, j.AccuracyB = float64(j.CorrectA)/n, float64(j.CorrectB)/n
	j.Loss = diff / n
	j.Interval = z95 * math.Sqrt(max(0, float64(lost+won)-diff*diff/n)) / n
	return j
}
