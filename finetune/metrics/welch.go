package metrics

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Samples are the accuracies of a setting's runs with several seeds, and of another's,
// two or more of each.
type Samples struct{ This, Other []float64 }

// CompareSamples tests pairs of one family for equal means by Welch's test (Biometrika
// 34, 1947), two-sided, with its interval. It tells luck in training apart from a
// difference between settings on these rows; that other rows would give other
// accuracies it does not count.
func CompareSamples(pairs []Samples) []Contrast {
	out, family := make([]Contrast, len(pairs)), make([]*Contrast, len(pairs))
	for i, p := range pairs {
		out[i] = welch(p)
		family[i] = &out[i]
	}
	conclude(family)
	return out
}

func welch(p Samples) (c Contrast) {
	mean, v := stat.MeanVariance(p.This, nil)
	other, w := stat.MeanVariance(p.Other, nil)
	n, m := float64(len(p.This)), float64(len(p.Other))
	v, w = v/n, w/m // of the means
	c.Difference, c.P = mean-other, 1
	c.Interval = [2]float64{c.Difference, c.Difference}
	if v+w == 0 { // runs all alike
		if c.Difference != 0 {
			c.P = 0
		}
		return c
	}
	t := distuv.StudentsT{Sigma: math.Sqrt(v + w), Nu: (v + w) * (v + w) / (v*v/(n-1) + w*w/(m-1))}
	half := t.Quantile(0.975)
	c.Interval = [2]float64{c.Difference - half, c.Difference + half}
	c.P = 2 * t.CDF(-math.Abs(c.Difference))
	return c
}
