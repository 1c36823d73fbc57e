package chart

import (
	"math"
	"strconv"
)

// Axis is one direction of a Plot.
type Axis struct {
	Label    string
	Percent  bool     // values are shares of 1
	Log      bool     // values above 0 on a logarithmic scale; others are left out
	Whole    bool     // values are counts: no tick between two
	From, To *float64 // where the axis begins and ends; nil: where the values do
}

// Number shows a value of the axis in a table.
func (a Axis) Number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a.Percent:
		return strconv.FormatFloat(100*v, 'f', 2, 64) + "%"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// tick is a place on an axis and its label.
type tick struct {
	at   float64
	text string
}

// scale maps values to a drawing's units.
type scale struct {
	axis     Axis
	low, top float64 // values at the ends
	from, to float64 // units there
}

// at is the place of a value, false where the axis has none.
func (s scale) at(v float64) (float64, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) || s.axis.Log && v <= 0 {
		return 0, false
	}
	low, top := s.low, s.top
	if s.axis.Log {
		v, low, top = math.Log10(v), math.Log10(low), math.Log10(top)
	}
	return s.from + (v-low)/(top-low)*(s.to-s.from), true
}

// newScale fits an axis to its values, which it begins and ends beyond, at ticks.
func newScale(a Axis, values []float64, from, to float64, wanted int) (scale, []tick) {
	low, top := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) && !(a.Log && v <= 0) {
			low, top = min(low, v), max(top, v)
		}
	}
	if a.From != nil {
		low = *a.From
	}
	if a.To != nil {
		top = *a.To
	}
	if low > top { // no values
		low, top = 1, 2
	}
	s := scale{a, low, top, from, to}
	if a.Log {
		return s.decades()
	}
	return s.steps(wanted)
}

// steps are ticks at multiples of 1, 2 or 5 times a power of ten, about as many as
// wanted.
func (s scale) steps(wanted int) (scale, []tick) {
	if s.low == s.top {
		room := max(math.Abs(s.low)*0.1, 0.01)
		if s.axis.Whole {
			room = 1
		}
		s.low, s.top = s.low-room, s.top+room
	}
	step := niceStep((s.top - s.low) / float64(wanted))
	if s.axis.Whole {
		step = max(step, 1)
	}
	const slack = 1e-9 // of a step: a value on a tick needs none beyond it
	first, last := math.Floor(s.low/step+slack), math.Ceil(s.top/step-slack)
	if s.axis.From == nil && !s.axis.Whole {
		s.low = first * step
	} else {
		first = math.Ceil(s.low/step - slack)
	}
	if s.axis.To == nil && !s.axis.Whole {
		s.top = last * step
	} else {
		last = math.Floor(s.top/step + slack)
	}
	var ticks []tick
	for n := first + 0; n <= last; n++ { // + 0: no −0
		ticks = append(ticks, tick{n * step, s.axis.tickText(n*step, step)})
	}
	return s, ticks
}

// niceStep is the least of 1, 2, 5 and 10 times a power of ten that is no less.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// decades are ticks at powers of ten, and where these are few at 2 and 5 times them.
func (s scale) decades() (scale, []tick) {
	room := math.Pow(s.top/s.low, 0.05)
	if s.low == s.top {
		room = 2
	}
	s.low, s.top = s.low/room, s.top*room
	factors := []float64{1}
	if math.Log10(s.top/s.low) < 2 {
		factors = []float64{1, 2, 5}
	}
	var ticks []tick
	for power := math.Floor(math.Log10(s.low)); power <= math.Log10(s.top); power++ {
		for _, f := range factors {
			if v := f * math.Pow(10, power); v >= s.low && v <= s.top {
				ticks = append(ticks, tick{v, s.axis.tickText(v, v)})
			}
		}
	}
	return s, ticks
}

// tickText has as many decimals as steps of that size need; thousands and more are
// told by SI's letters.
func (a Axis) tickText(v, step float64) string {
	if a.Percent {
		v, step = 100*v, 100*step
	}
	unit := ""
	for _, u := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.size {
			v, step, unit = v/u.size, step/u.size, u.name
			break
		}
	}
	decimals := 0
	if step > 0 && step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64) + unit
	if a.Percent {
		text += "%"
	}
	return text
}
