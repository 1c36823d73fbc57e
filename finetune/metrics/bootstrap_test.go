package metrics

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// The interval of a mean is near the normal one; that of a mean of rows that
// come in fours is twice as wide.
func TestBootstrapOfMeans(t *testing.T) {
	const n = 1600
	values, groups := make([]float64, n), make([]int, n)
	for i := range values {
		values[i], groups[i] = float64(i/4%2), i/4 // deviation ½, all four of a group equal
	}
	mean := func(w []float64) []float64 {
		sum, total := 0.0, 0.0
		for i, v := range values {
			sum, total = sum+w[i]*v, total+w[i]
		}
		return []float64{sum / total}
	}
	for _, c := range []struct {
		name   string
		groups []int
		half   float64
	}{{"alone", Alone(n), z95 * 0.5 / 40}, {"in fours", groups, z95 * 0.5 / 20}} {
		got := Bootstrap(c.groups, 4000, 1, mean)[0]
		if !(math.Abs(got[0]-(0.5-c.half)) < 0.05*c.half && math.Abs(got[1]-(0.5+c.half)) < 0.05*c.half) {
			t.Errorf("%s: interval %v, want 0.5 ± %.4f", c.name, got, c.half)
		}
		if again := Bootstrap(c.groups, 4000, 1, mean)[0]; again != got {
			t.Errorf("%s: the same seed gives %v, then %v", c.name, got, again)
		}
		if other := Bootstrap(c.groups, 4000, 2, mean)[0]; other == got {
			t.Errorf("%s: seeds 1 and 2 both give %v", c.name, got)
		}
	}
}

func TestBootstrapDrawsWholeGroups(t *testing.T) {
	groups := []int{7, -1, 7, 40, -1, 7}
	for range Bootstrap(groups, 50, 3, func(w []float64) []float64 {
		if w[0] != w[2] || w[0] != w[5] || w[1] != w[4] || w[0]+w[1]+w[3] != 3 {
			t.Errorf("weights %v of groups %v, want three groups drawn, each whole", w, groups)
		}
		return nil
	}) {
		t.Error("an interval of no figure")
	}
}

// A figure that cannot be told for some draws has an interval of the others.
func TestBootstrapOfUndefinedFigures(t *testing.T) {
	got := Bootstrap(Alone(2), 100, 1, func(w []float64) []float64 {
		return []float64{1 / w[0] * w[0], math.NaN()} // NaN where row 0 was not drawn, else 1
	})
	if got[0] != [2]float64{1, 1} || !math.IsNaN(got[1][0]) || !math.IsNaN(got[1][1]) {
		t.Errorf("got %v, want [1 1] and [NaN NaN]", got)
	}
}

func TestQuantileInterpolates(t *testing.T) {
	values := []float64{1, 2, 4, 8, 16} // numpy.quantile([1, 2, 4, 8, 16], [0, 0.3, 0.975, 1])
	var got []float64
	for _, q := range []float64{0, 0.3, 0.975, 1} {
		got = append(got, quantile(values, q))
	}
	if want := []float64{1, 2.4, 15.2, 16}; !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func ExampleBootstrap() {
	right := []float64{1, 1, 0, 1, 1, 1, 0, 1} // of a model, row by row
	other := []float64{1, 0, 0, 1, 0, 1, 0, 1} // of another
	groups := []int{0, 1, 2, 3, 4, 5, 6, 6}    // the last two rows are one image
	intervals := Bootstrap(groups, Resamples, 1, func(weights []float64) []float64 {
		difference, rows := 0.0, 0.0
		for i, w := range weights {
			difference, rows = difference+w*(right[i]-other[i]), rows+w
		}
		return []float64{difference / rows}
	})
	fmt.Printf("0.25, between %.2f and %.2f\n", intervals[0][0], intervals[0][1])
	// Output: 0.25, between 0.00 and 0.57
}
