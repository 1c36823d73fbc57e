package head

import (
	"errors"
	"fmt"
	"math"

	"graft/graph/engine/sgemm"
	"graft/internal/plural"
)

// problem is an objective with what fits of any strength share.
type problem struct {
	objective
	std     []float32
	moments []float32 // second moments
}

func newProblem(x []float32, n, d int, y []int, classes int, o LBFGSOptions) (*problem, error) {
	if err := checkData(x, n, d, y, classes); err != nil {
		return nil, err
	}
	if o.ClassWeights != nil && len(o.ClassWeights) != classes {
		return nil, fmt.Errorf("%d class weights, want %d", len(o.ClassWeights), classes)
	}
	for k, w := range o.ClassWeights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("weight of class %d is %g, want 0 or more", k, w)
		}
	}
	return &problem{objective: objective{features: features{x: x, n: n, d: d, threads: sgemm.Threads(o.Threads)}, classes: classes, labels: y, weights: o.ClassWeights}}, nil
}

// measure takes the moments of the rows fitted.
func (p *problem) measure() error { return p.measureOnce(nil) }

// measureOnce takes them from m where it has them, and else leaves them there.
func (p *problem) measureOnce(m *Measured) (err error) {
	if m == nil {
		m = &Measured{}
	}
	switch {
	case m.x == nil:
		if m.mean, m.std, err = p.features.moments(); err != nil {
			return err
		}
		m.x = p.x
	case len(m.x) != len(p.x) || &m.x[0] != &p.x[0] || len(m.mean) != p.d:
		return errors.New("what was measured is of other features")
	}
	p.mean, p.std, p.scale = m.mean, m.std, inverse(m.std)
	if m.moments == nil {
		m.moments = p.secondMoments()
	}
	p.moments = m.moments
	p.prepare()
	if !(p.total > 0) {
		return errors.New("all rows have weight 0")
	}
	return nil
}

// startFrom sets θ to the head l on this problem's standardisation.
func (p *problem) startFrom(theta []float64, l *Linear) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if l.Classes != p.classes || l.Dim != p.d {
		return fmt.Errorf("start: head has %d classes of %d features, want %d of %d", l.Classes, l.Dim, p.classes, p.d)
	}
	for k := range p.classes {
		bias := float64(l.B[k])
		for j := range p.d {
			w := float64(l.W[k*p.d+j])
			var mean float64
			if l.Mean != nil {
				w /= float64(l.Std[j])
				mean = float64(l.Mean[j])
			}
			bias += w * (float64(p.mean[j]) - mean)
			theta[k*p.d+j] = w * float64(p.std[j])
		}
		theta[p.classes*p.d+k] = bias
	}
	return nil
}

func (p *problem) linear(theta []float64) *Linear {
	l := &Linear{Classes: p.classes, Dim: p.d, Mean: p.mean, Std: p.std}
	for _, v := range theta[:p.classes*p.d] {
		l.W = append(l.W, float32(v))
	}
	for _, v := range theta[p.classes*p.d:] {
		l.B = append(l.B, float32(v))
	}
	return l
}

func checkData(x []float32, n, d int, y []int, classes int) error {
	if n < 1 || d < 1 || classes < 2 {
		return fmt.Errorf("%s of %s in %s: want 1, 1 and 2 at least", plural.Of(n, "row"), plural.Of(d, "feature"), plural.Of(classes, "class"))
	}
	if len(x) != n*d || len(y) != n {
		return fmt.Errorf("%d feature values and %d labels, want %d·%d and %d", len(x), len(y), n, d, n)
	}
	for i, k := range y {
		if k < 0 || k >= classes {
			return fmt.Errorf("label of row %d is %d, want 0 to %d", i, k, classes-1)
		}
	}
	return nil
}
