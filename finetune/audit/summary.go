package audit

import (
	"cmp"
	"math"
	"slices"
)

// doubts sums up what was learnt of train's labels.
func (l *learner) doubts(labels []int) *Doubts {
	d := &Doubts{Folds: folds, Lambda: l.lambda, Joint: l.joint, Wrong: l.wrong(), Suspected: map[string]int{}, Confused: l.confused()}
	for _, s := range l.suspects {
		d.Suspected[l.Data.Samples[s.row].Split]++
	}
	n, right := float64(len(labels)), 0
	for k := range l.classes {
		d.Thresholds = append(d.Thresholds, nil)
		if t := l.threshold[k]; !math.IsNaN(t) {
			d.Thresholds[k] = &t
		}
		right += l.confusion[k][k]
	}
	d.Accuracy = float64(right) / n
	return d
}

// confused are the pairs of classes that are taken for each other.
func (l *learner) confused() []Confusion {
	pairs := []Confusion{}
	for a := range l.classes {
		for b := range a {
			there, back := l.confusion[b][a], l.confusion[a][b]
			if there+back > 0 {
				rows := sum(l.confusion[a]) + sum(l.confusion[b])
				pairs = append(pairs, Confusion{l.Data.Classes[b], l.Data.Classes[a], int64(there), int64(back), float64(there+back) / float64(rows)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b Confusion) int { return cmp.Compare(b.Share, a.Share) })
	return pairs
}
