package check

import (
	"fmt"
	"math"
)

// What the features are to a head that was trained on A's.
const (
	same  = "same"  // but for rounding
	near  = "close" // such a head takes them
	other = "other" // a head has to be trained on them
)

// What becomes of accuracy where a head is trained on B's features.
const (
	kept      = "kept"      // a loss of margin or more is ruled out
	lost      = "lost"      // there is a loss
	undecided = "undecided" // the images are too few to tell
	unknown   = "unknown"   // no probes were trained
)

const (
	// rounding is the largest relative error that float32 in another order of sums explains.
	rounding = 1e-4
	// closeCosine is the least mean cosine of features that a head takes for each other.
	closeCosine = 0.99
	// margin is the loss of accuracy that a verdict of kept rules out.
	margin = 0.02
)

// Verdict is the end of a comparison.
type Verdict struct {
	Features string `json:"features"`
	Accuracy string `json:"accuracy"`
	Text     string `json:"text"`
}

// Verdict says whether B may take A's place. Losses of all taps and splits are judged together: their intervals are
// widened as Bonferroni does, so that all of them hold at 95%.
func (r Report) Verdict() Verdict {
	v := Verdict{Features: same, Accuracy: unknown}
	var far, apart Tap // of the largest relative error, of the least mean cosine
	apart.MeanCosine = math.Inf(1)
	for _, t := range r.Taps {
		if !(t.RelativeError <= far.RelativeError) {
			far = t
		}
		if !(t.MeanCosine >= apart.MeanCosine) {
			apart = t
		}
	}
	switch {
	case !(apart.MeanCosine >= closeCosine):
		v.Features = other
		v.Text = fmt.Sprintf("B's features are others than A's (mean cosine %.3g in %s): heads have to be trained on them.", apart.MeanCosine, apart.Name)
	case !(far.RelativeError <= rounding):
		v.Features = near
		v.Text = fmt.Sprintf("B's features are close to A's (mean cosine %.4g or more): a head that was trained on A's takes them.", apart.MeanCosine)
	default:
		v.Text = fmt.Sprintf("B's features are A's but for rounding (relative error %.1g or less): either takes the other's place.", far.RelativeError)
	}
	if v.Features != same {
		text := ""
		v.Accuracy, text = r.accuracy()
		v.Text += " " + text
	}
	return v
}

// accuracy tells what a head that is trained on B's features loses.
func (r Report) accuracy() (word, text string) {
	n := 0
	for _, t := range r.Taps {
		n += len(t.Probes)
	}
	if n == 0 {
		return unknown, "What accuracy they cost is not known, there being no probes."
	}
	wider := math.Sqrt2 * math.Erfinv(1-0.05/float64(n)) / 1.96
	word = kept
	var worst float64 // the most that may be lost
	for _, t := range r.Taps {
		for _, p := range t.Probes {
			half := wider * p.Interval
			if p.Loss > half {
				return lost, fmt.Sprintf("They cost accuracy: with %s %.1f points of %s (%.1f to %.1f).", t.Name, 100*p.Loss, p.Split, 100*(p.Loss-half), 100*(p.Loss+half))
			}
			worst = math.Max(worst, p.Loss+half)
		}
	}
	if worst <= margin {
		return kept, fmt.Sprintf("No probe loses more than %.1f points of accuracy.", 100*worst)
	}
	return undecided, fmt.Sprintf("No probe's loss of accuracy can be told from chance, and up to %.1f points cannot be ruled out: more images would tell (--limit 0 takes all).", 100*worst)
}
