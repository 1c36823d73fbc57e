package metrics

import "math"

// seed is of the resamples of every report, so that equal answers have equal
// intervals.
const seed = 1

// maxSteps bounds the work on one report's intervals: rows × classes × resamples.
// Up to half a million rows × classes nothing is spared; beyond it resamples
// are, down to a hundred.
const maxSteps = 500_000_000

func (a Answers) resamples(k int) int {
	return min(Resamples, max(Resamples/10, maxSteps/(len(a.Labels)*k)))
}

func (a Answers) groups() []int {
	if len(a.Groups) > 0 {
		return a.Groups
	}
	return Alone(len(a.Labels))
}

func ones(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// addFigures fills what is no share, with intervals.
func (a Answers) addFigures(r *Report) {
	k := len(r.Classes)
	figures := a.figures(k)
	whole := make([]float64, perSplit+perClass*k)
	copy(whole, figures(ones(len(a.Labels))))
	groups := a.groups()
	r.Resamples = a.resamples(k)
	_, r.Groups = compact(groups)
	intervals := Bootstrap(groups, r.Resamples, seed, figures)
	r.MacroF1, r.MacroF1Interval = whole[0], known(intervals[0])
	r.Balanced, r.BalancedInterval = whole[1], known(intervals[1])
	r.Kappa, r.KappaInterval = figure(whole[2], intervals[2])
	r.AUROC, r.AUROCInterval = figure(whole[3], intervals[3])
	r.Precision, r.PrecisionInterval = figure(whole[4], intervals[4])
	for i := range r.Classes {
		c, at := &r.Classes[i], perSplit+perClass*i
		if !math.IsNaN(whole[at]) {
			c.F1, c.F1Interval = whole[at], known(intervals[at])
		}
		c.AUROC, c.AUROCInterval = figure(whole[at+1], intervals[at+1])
		c.Average, c.AverageInterval = figure(whole[at+2], intervals[at+2])
	}
}

// figure is a figure with its interval, or nothing where it is not defined: a
// resample never defines what the whole does not.
func figure(v float64, interval [2]float64) (*float64, *[2]float64) {
	return defined(v), known(interval)
}

// The figures' places: macro F1, balanced accuracy, kappa, AUROC, average precision;
// then each class's F1, AUROC and average precision.
const perSplit, perClass = 5, 3

// figures computes them from weights of the rows. NaN is what is not defined.
func (a Answers) figures(k int) func(weights []float64) []float64 {
	cell := make([]int, len(a.Labels)) // of the confusion matrix
	for i, y := range a.Labels {
		cell[i] = y*k + Argmax(a.Probs[i*k:(i+1)*k])
	}
	rankings := make([]ranking, k)
	for c := range rankings {
		rankings[c] = a.ranking(c, k)
	}
	confusion, out := make([]float64, k*k), make([]float64, perSplit+perClass*k)
	return func(weights []float64) []float64 {
		clear(confusion)
		for i, w := range weights {
			confusion[cell[i]] += w
		}
		var f1, recall, auroc, precision mean
		totals, predicted := sums(confusion, k)
		for c, ranking := range rankings {
			hit, one := confusion[c*k+c], out[perSplit+perClass*c:]
			one[0] = 2 * hit / (totals[c] + predicted[c]) // the harmonic mean of precision and recall, free of their 0/0
			one[1], one[2] = ranking.areas(weights)
			f1.add(one[0])
			recall.add(hit / totals[c])
			auroc.add(one[1])
			precision.add(one[2])
		}
		out[0], out[1], out[2] = f1.value(), recall.value(), kappa(confusion, totals, predicted)
		out[3], out[4] = auroc.value(), precision.value()
		return out
	}
}

// sums are those of a confusion matrix's rows and columns.
func sums(confusion []float64, k int) (rows, columns []float64) {
	rows, columns = make([]float64, k), make([]float64, k)
	for i, w := range confusion {
		rows[i/k] += w
		columns[i%k] += w
	}
	return rows, columns
}

// kappa is Cohen's: how far labels and predictions agree beyond what they would by
// chance, (p₀−pₑ)/(1−pₑ) (Educational and Psychological Measurement 20, 1960). It is
// NaN where chance alone would have them agree always.
func kappa(confusion, totals, predicted []float64) float64 {
	var total, agreed, chance float64
	k := len(totals)
	for c, n := range totals {
		total, agreed, chance = total+n, agreed+confusion[c*k+c], chance+n*predicted[c]
	}
	return (total*agreed - chance) / (total*total - chance) // exact in whole numbers, so that 0/0 is found
}

// mean is that of what is defined.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) {
	if !math.IsNaN(v) {
		m.sum, m.n = m.sum+v, m.n+1
	}
}

func (m mean) value() float64 { return m.sum / m.n }
