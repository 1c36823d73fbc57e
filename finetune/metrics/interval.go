package metrics

import "math"

// z95 is the 97.5% quantile of the normal distribution.
const z95 = 1.959963984540054

// Wilson is the 95% score interval of a rate of k in n (Wilson, Journal of the
// American Statistical Association 22, 1927). Without samples it is [0,1].
func Wilson(k, n int) (lo, hi float64) {
	if n <= 0 {
		return 0, 1
	}
	p, nn := float64(k)/float64(n), float64(n)
	centre := p + z95*z95/(2*nn)
	half := z95 * math.Sqrt(p*(1-p)/nn+z95*z95/(4*nn*nn))
	scale := 1 + z95*z95/nn
	// Rounding must not push a bound past what a rate can be, nor past p.
	return max(0, min(p, (centre-half)/scale)), min(1, max(p, (centre+half)/scale))
}

// bins is the number of equal-width bins of the calibration error.
const bins = 15

// ece is the expected calibration error of the predicted class (Guo et al.,
// "On Calibration of Modern Neural Networks", 2017): samples fall into 15 bins
// of equal width by the probability of their prediction, bin i holding
// (i/15, (i+1)/15]; the result is the mean over samples of the distance between
// their bin's accuracy and its mean confidence. probs is [n,k] row-major.
func ece(probs []float32, labels []int, k int) float64 {
	var gap [bins]float64 // sum of correct − confidence
	for i, y := range labels {
		row := probs[i*k : (i+1)*k]
		p := Argmax(row)
		confidence := float64(row[p])
		b := bin(confidence)
		gap[b] -= confidence
		if p == y {
			gap[b]++
		}
	}
	sum := 0.0
	for _, g := range gap {
		sum += math.Abs(g)
	}
	return sum / float64(len(labels))
}

// bin compares with the bounds themselves: multiplying by 15 would round some
// values across one.
func bin(confidence float64) int {
	for i := range bins - 1 {
		if confidence <= float64(i+1)/bins {
			return i
		}
	}
	return bins - 1
}
