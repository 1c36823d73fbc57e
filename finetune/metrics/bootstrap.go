package metrics

import (
	"math"
	"math/bits"
	"slices"

	"graft/internal/splitmix"
)

// Resamples is how many resamples an interval is taken from unless there is a
// reason for another number.
const Resamples = 1000

// Bootstrap returns the 95% percentile interval of each of several figures of
// len(groups) rows (Efron, Annals of Statistics 7, 1979). groups numbers the rows
// that belong together, such as copies of one image: they say the same, and
// counted each for itself they would make intervals too narrow. So groups are
// drawn, as many as there are, with replacement, and a row weighs as often as its
// group was drawn (the cluster bootstrap: Field and Welsh, Journal of the Royal
// Statistical Society B 69, 2007).
//
// figures computes all figures from weights [len(groups)], whole numbers from 0;
// both it and the slice that it returns may be used again in the next call. A
// figure that is NaN, being undefined for a draw, is left out of its interval,
// and one that always is has the interval [NaN, NaN]. Differences of two models
// that judged the same rows are figures like any other. Equal arguments give
// equal intervals.
func Bootstrap(groups []int, resamples int, seed uint64, figures func(weights []float64) []float64) [][2]float64 {
	number, count := compact(groups)
	times, weights := make([]float64, count), make([]float64, len(groups))
	var drawn [][]float64 // by figure
	for range resamples {
		clear(times)
		for range count {
			seed += splitmix.Gamma
			g, _ := bits.Mul64(splitmix.Mix(seed), uint64(count)) // uniform in 0…count-1
			times[g]++
		}
		for i, g := range number {
			weights[i] = times[g]
		}
		values := figures(weights)
		if drawn == nil {
			drawn = make([][]float64, len(values))
		}
		for f, v := range values {
			if !math.IsNaN(v) {
				drawn[f] = append(drawn[f], v)
			}
		}
	}
	out := make([][2]float64, len(drawn))
	for f, values := range drawn {
		slices.Sort(values)
		out[f] = [2]float64{quantile(values, 0.025), quantile(values, 0.975)}
	}
	return out
}

// Alone are groups of one row each.
func Alone(rows int) []int {
	groups := make([]int, rows)
	for i := range groups {
		groups[i] = i
	}
	return groups
}

// compact numbers groups from 0 as they come.
func compact(groups []int) (number []int, count int) {
	known := make(map[int]int, len(groups))
	number = make([]int, len(groups))
	for i, g := range groups {
		n, ok := known[g]
		if !ok {
			n = len(known)
			known[g] = n
		}
		number[i] = n
	}
	return number, len(known)
}

// quantile interpolates between the neighbours in sorted values, as numpy does; of
// none it is NaN.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	low, high := sorted[i], sorted[min(i+1, len(sorted)-1)]
	return low + (at-float64(i))*(high-low)
}
