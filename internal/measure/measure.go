// Package measure compares the speed of two ways to do the same work: in pairs,
// alternating within one process, so that a machine that speeds up or slows
// down meanwhile does not decide the result.
package measure

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Case is one measurement, in the form that graft bench --json writes.
type Case struct {
	Name           string  `json:"name"`
	Unit           string  `json:"unit"`             // what the items are, such as images
	ItemsPerSecond float64 `json:"items_per_second"` // median over the rounds
	Seconds        float64 `json:"seconds"`          // median over the rounds
	Provider       string  `json:"provider"`
	Precision      string  `json:"precision"`
	Batch          int     `json:"batch"`
	Streams        int     `json:"streams,omitempty"` // batches at once, of inference
	// Baseline names the case that Ratio compares with: this case's rate over
	// the baseline's, the median of the pairs.
	Baseline string    `json:"baseline,omitempty"`
	Ratio    float64   `json:"ratio,omitempty"`
	Ratios   []float64 `json:"ratios,omitempty"` // of each pair
	// Note is what the numbers mean, in a sentence.
	Note string `json:"note,omitempty"`
}

// Report is the cases of one run of graft bench.
type Report struct {
	Cases []Case `json:"cases"`
}

// Work does a fixed amount of work and returns how long it took, which leaves out
// what it had to set up first.
type Work func(ctx context.Context) (time.Duration, error)

// Pairs are the times of two works, measured in turns.
type Pairs struct {
	A, B []time.Duration
}

// Alternate runs a and b rounds times each. Who goes first changes with every
// round, so that neither always finds the warmer machine.
func Alternate(ctx context.Context, rounds int, a, b Work, progress func(done, total int64)) (Pairs, error) {
	if rounds < 1 {
		return Pairs{}, fmt.Errorf("measure: %d rounds, wanted at least one", rounds)
	}
	p := Pairs{A: make([]time.Duration, rounds), B: make([]time.Duration, rounds)}
	for r := range rounds {
		order := []struct {
			work Work
			to   *time.Duration
		}{{a, &p.A[r]}, {b, &p.B[r]}}
		if r%2 == 1 {
			slices.Reverse(order)
		}
		for i, o := range order {
			d, err := o.work(ctx)
			if err != nil {
				return Pairs{}, err
			}
			if *o.to = d; progress != nil {
				progress(int64(2*r+i+1), int64(2*rounds))
			}
		}
	}
	return p, nil
}

// Ratios are B's speed over A's in each round: 1 means equal, 0.97 that B does 97
// items while A does 100.
func (p Pairs) Ratios() []float64 {
	ratios := make([]float64, len(p.A))
	for i := range ratios {
		ratios[i] = p.A[i].Seconds() / p.B[i].Seconds()
	}
	return ratios
}

// Median is the middle of x, the mean of the two middle ones of an even number.
// x must not be empty.
func Median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

// Seconds are durations in seconds.
func Seconds(d []time.Duration) []float64 {
	out := make([]float64, len(d))
	for i := range d {
		out[i] = d[i].Seconds()
	}
	return out
}
