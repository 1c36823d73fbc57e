package head

import (
	"errors"
	"fmt"
	"math"

	"graft/graph/engine/sgemm"
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
	weights, err := o.rowWeights(y, classes)
	if err != nil {
		return nil, err
	}
	if err := checkTargets(o.Targets, n, classes); err != nil {
		return nil, err
	}
	return &problem{objective: objective{features: features{x: x, n: n, d: d, threads: sgemm.Threads(o.Threads)}, classes: classes, labels: y, targets: o.Targets, weights: weights}}, nil
}

// measure takes the moments of the rows fitted.
func (p *problem) measure() (err error) {
	p.mean, p.std, err = p.features.moments()
	if err != nil {
		return err
	}
	p.scale = inverse(p.std)
	p.moments = p.secondMoments()
	p.prepare()
	if !(p.total > 0) {
		return errors.New("all rows have weight 0")
	}
	return nil
}

// startFrom sets θ to the head l on this problem's standardisation.
func (p *problem) startFrom(theta []float64, l *Linear) error {
	if err := l.Check(); err != nil {
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
		return fmt.Errorf("%d rows of %d features in %d classes: want 1, 1 and 2 at least", n, d, classes)
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

// rowWeights multiplies the weights of classes and rows; nil if all are 1.
func (o LBFGSOptions) rowWeights(y []int, classes int) ([]float64, error) {
	if o.ClassWeights == nil && o.SampleWeights == nil {
		return nil, nil
	}
	if o.ClassWeights != nil && len(o.ClassWeights) != classes {
		return nil, fmt.Errorf("%d class weights, want %d", len(o.ClassWeights), classes)
	}
	if o.SampleWeights != nil && len(o.SampleWeights) != len(y) {
		return nil, fmt.Errorf("%d sample weights, want %d", len(o.SampleWeights), len(y))
	}
	w := make([]float64, len(y))
	for i, k := range y {
		w[i] = 1
		if o.ClassWeights != nil {
			w[i] = o.ClassWeights[k]
		}
		if o.SampleWeights != nil {
			w[i] *= float64(o.SampleWeights[i])
		}
		if !(w[i] >= 0) || math.IsInf(w[i], 1) {
			return nil, fmt.Errorf("weight of row %d is %g, want 0 or more", i, w[i])
		}
	}
	return w, nil
}

func checkTargets(targets []float32, n, classes int) error {
	if targets == nil {
		return nil
	}
	if len(targets) != n*classes {
		return fmt.Errorf("%d soft labels, want %d·%d", len(targets), n, classes)
	}
	for i, t := range targets {
		if !(t >= 0) || math.IsInf(float64(t), 1) {
			return fmt.Errorf("soft label of row %d, class %d is %g, want 0 or more", i/classes, i%classes, t)
		}
	}
	return nil
}
