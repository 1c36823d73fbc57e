package audit

import (
	"graft/finetune/metrics"
)

// confident is confident learning (Northcutt, Jiang and Chuang, "Confident learning:
// estimating uncertainty in dataset labels", Journal of Artificial Intelligence Research
// 70, 2021, section 3): of probabilities from heads that have not seen the rows, first
// the classes' thresholds, then which labels are off the confident joint's diagonal.
type confident struct {
	threshold []float64 // mean probability of a class over the rows that bear it; NaN without rows
	rows      []float64
	joint     [][]int // [label][class]: rows by their label and confident class
	confusion [][]int // [label][predicted]
}

func newConfident(classes int) *confident {
	square := func() [][]int {
		out := make([][]int, classes)
		for i := range out {
			out[i] = make([]int, classes)
		}
		return out
	}
	return &confident{make([]float64, classes), make([]float64, classes), square(), square()}
}

// learn takes a row's probabilities into the thresholds.
func (c *confident) learn(p []float32, label int) {
	c.threshold[label] += float64(p[label])
	c.rows[label]++
}

// settle ends learning.
func (c *confident) settle() {
	for k, n := range c.rows {
		c.threshold[k] /= n // NaN reaches nothing
	}
}

// class is, of the classes whose probability reaches their threshold, the most probable,
// or -1.
func (c *confident) class(p []float32) int {
	best := -1
	for k, v := range p {
		if float64(v) >= c.threshold[k] && (best < 0 || v > p[best]) {
			best = k
		}
	}
	return best
}

// count takes a row into the joint and the confusion.
func (c *confident) count(p []float32, label int) {
	c.confusion[label][metrics.Argmax(p)]++
	if class := c.class(p); class >= 0 {
		c.joint[label][class]++
	}
}

// suspect tells whether a label is probably wrong, and which is probably right: the
// confident class is another, and the label is not the most probable one.
func (c *confident) suspect(p []float32, label int) (suggested int, wrong bool) {
	suggested = c.class(p)
	return suggested, suggested >= 0 && suggested != label && metrics.Argmax(p) != label
}

// margin is how far the label's probability is above the largest of the others, from
// −1 to 1: the paper's normalised margin.
func margin(p []float32, label int) float32 {
	var most float32
	for k, v := range p {
		if k != label {
			most = max(most, v)
		}
	}
	return p[label] - most
}

// wrong estimates the share of wrong labels: of each class the share of the joint off
// the diagonal, weighed by the class's rows (the paper's calibration). It is too high
// where the heads are often wrong themselves.
func (c *confident) wrong() (share float64) {
	n := 0
	for _, row := range c.confusion {
		n += sum(row)
	}
	for k, row := range c.joint {
		if of := sum(row); of > 0 {
			share += float64(sum(c.confusion[k])) / float64(n) * float64(of-row[k]) / float64(of)
		}
	}
	return share
}

func sum(list []int) (total int) {
	for _, v := range list {
		total += v
	}
	return total
}
