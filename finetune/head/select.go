package head

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"graft/finetune/metrics"
)

// defaultGrid is the strengths λ that selectStrength tries, strongest first: two
// a decade. At FER2013's 28,709 rows they are scikit-learn's C from 0.0001 to 1.
var defaultGrid = []float64{0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003}

// tenth is the share of the rows that selectStrength holds out.
const tenth = 0.1

// CVOptions are the settings of selectStrength and FitCV.
type CVOptions struct {
	LBFGS LBFGSOptions // its Lambda and Start are not used
	Grid  []float64    // strengths λ to try, nil for defaultGrid
	Seed  uint64       // of the draw of the hold-out
	// Groups [n] number the rows that belong together, such as an image and its
	// mirrored twin: they stay on one side. nil takes every row by itself.
	Groups []int
}

// Candidate is one strength tried on the hold-out.
type Candidate struct {
	Lambda     float64
	Loss       float64 // mean cross-entropy of the hold-out in nats, weighted as the fit
	Accuracy   float64 // share of the hold-out correct, weighted as the fit
	Iterations int
	Seconds    float64
}

// Selection is the outcome of selectStrength.
type Selection struct {
	Lambda     float64 // of the best candidate
	Fitted     int     // rows
	Held       []int   // the other rows, ascending: the hold-out
	Candidates []Candidate
	Head       *Linear // fitted at Lambda on the rows outside the hold-out
}

// selectStrength tries strengths on a tenth of the rows, drawn by o.Seed so that
// every class gives a tenth of its groups, after fitting the others. It goes
// from the strongest penalty down, each fit starting from the last, and stops
// after two strengths in a row that improved neither accuracy nor loss: weaker
// penalties only overfit more. The best is the most accurate on the hold-out,
// and of those the one of smallest loss; by loss alone the choice is too strong,
// as weak penalties make heads overconfident before they make them wrong.
func selectStrength(ctx context.Context, x []float32, n, d int, y []int, classes int, o CVOptions) (Selection, error) {
	grid, err := o.grid()
	if err != nil {
		return Selection{}, err
	}
	p, err := newProblem(x, n, d, y, classes, o.LBFGS)
	if err != nil {
		return Selection{}, err
	}
	fitted, held, err := HoldOut(y, classes, o.Groups, tenth, o.Seed)
	if err != nil {
		return Selection{}, err
	}
	p.rows = fitted
	if err := p.measure(); err != nil {
		return Selection{}, err
	}
	s := Selection{Fitted: len(fitted), Held: held}
	return s, s.try(ctx, p, held, grid, o.LBFGS)
}

// FitCV chooses the strength by selectStrength and fits all rows with it: the
// same λ beside the mean loss, whose size does not depend on the number of rows.
func FitCV(ctx context.Context, x []float32, n, d int, y []int, classes int, o CVOptions) (*Linear, Trace, Selection, error) {
	s, err := selectStrength(ctx, x, n, d, y, classes, o)
	if err != nil {
		return nil, Trace{}, s, err
	}
	final := o.LBFGS
	final.Lambda, final.Start = s.Lambda, s.Head
	l, trace, err := FitLBFGS(ctx, x, n, d, y, classes, final)
	return l, trace, s, err
}

func (o CVOptions) grid() ([]float64, error) {
	grid := slices.Clone(o.Grid)
	if grid == nil {
		grid = slices.Clone(defaultGrid)
	}
	if len(grid) == 0 {
		return nil, errors.New("no strengths to choose from")
	}
	for _, lambda := range grid {
		if !(lambda > 0) || math.IsInf(lambda, 1) {
			return nil, fmt.Errorf("strength λ in the grid is %g, want above 0", lambda)
		}
	}
	slices.SortFunc(grid, func(a, b float64) int { return cmp.Compare(b, a) })
	return grid, nil
}

// try fits the grid's strengths and judges them on the rows held out.
func (s *Selection) try(ctx context.Context, p *problem, held []int, grid []float64, o LBFGSOptions) error {
	judge := p.objective
	judge.rows = held
	judge.lambda = 0
	judge.prepare()
	if !(judge.total > 0) {
		return errors.New("all rows of the hold-out have weight 0")
	}
	// The hold-out cannot tell losses apart that are closer than this.
	o.Tolerance = max(o.Tolerance, 1e-5)
	o.Start = nil
	best := Candidate{Accuracy: -1}
	least, idle := math.Inf(1), 0
	for _, lambda := range grid {
		began := time.Now()
		o.Lambda = lambda
		l, trace, err := p.fit(ctx, o, began)
		if err != nil {
			return fmt.Errorf("strength λ %g: %w", lambda, err)
		}
		c := Candidate{Lambda: lambda, Iterations: trace.Last().Iteration}
		c.Loss, c.Accuracy = judge.judge(p, l)
		c.Seconds = time.Since(began).Seconds()
		s.Candidates = append(s.Candidates, c)
		if idle++; c.Accuracy > best.Accuracy || c.Loss < least {
			idle = 0
		}
		least = min(least, c.Loss)
		if c.Accuracy > best.Accuracy || c.Accuracy == best.Accuracy && c.Loss < best.Loss {
			best, s.Lambda, s.Head = c, lambda, l
		}
		if idle == 2 {
			break
		}
		o.Start = l
	}
	return nil
}

// judge returns loss and accuracy of a head on the objective's rows.
func (o *objective) judge(p *problem, l *Linear) (loss, share float64) {
	theta := make([]float64, o.size())
	if err := p.startFrom(theta, l); err != nil {
		return math.NaN(), 0
	}
	loss = o.evaluate(theta, make([]float64, o.size()))
	var correct float64
	for from := 0; from < len(o.rows); from += 1024 {
		rows := o.rows[from:min(from+1024, len(o.rows))]
		x := make([]float32, 0, len(rows)*o.d)
		for _, r := range rows {
			x = append(x, o.x[r*o.d:(r+1)*o.d]...)
		}
		z := l.Logits(x, len(rows), int(o.threads))
		for i, r := range rows {
			if metrics.Argmax(z[i*o.classes:(i+1)*o.classes]) == o.labels[r] {
				correct += o.weight(r)
			}
		}
	}
	return loss, correct / o.total
}
