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

// wilson is nil where there is no rate.
func wilson(k, n int) *[2]float64 {
	if n == 0 {
		return nil
	}
	lo, hi := Wilson(k, n)
	return &[2]float64{lo, hi}
}

// defined is nil for a figure that is not.
func defined(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// known is nil for the interval of a figure that is never defined.
func known(interval [2]float64) *[2]float64 {
	if math.IsNaN(interval[0]) {
		return nil
	}
	return &interval
}
