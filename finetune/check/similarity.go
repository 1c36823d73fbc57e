package check

import (
	"errors"
	"math"
)

// compare fills in the similarity of the rows of x and y, [n,Dim] each, which
// stores keep finite.
func (t *Tap) compare(x, y []float32, ids []string) error {
	var apart, size float64
	t.MinCosine = math.Inf(1)
	for i, id := range ids {
		from, to := i*t.Dim, (i+1)*t.Dim
		d := measure(x[from:to], y[from:to])
		apart, size = apart+d.apart, size+d.xx
		c := d.cosine()
		t.MeanCosine += c / float64(len(ids))
		if c < t.MinCosine {
			t.MinCosine, t.Worst = c, id
		}
	}
	if size == 0 {
		return errors.New("the reference's features are all zero")
	}
	t.RelativeError = math.Sqrt(apart / size)
	return nil
}

// distance holds sums over one image's features.
type distance struct{ xx, yy, xy, apart float64 }

func measure(x, y []float32) (d distance) {
	for j := range x {
		a, b := float64(x[j]), float64(y[j])
		d.xx += a * a
		d.yy += b * b
		d.xy += a * b
		d.apart += (a - b) * (a - b)
	}
	return d
}

// cosine is 1 for two zero vectors and 0 for one.
func (d distance) cosine() float64 {
	switch {
	case d.xx == 0 && d.yy == 0:
		return 1
	case d.xx == 0 || d.yy == 0:
		return 0
	}
	return d.xy / math.Sqrt(d.xx*d.yy)
}
