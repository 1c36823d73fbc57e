package metrics

import "math"

// Calibration says how far probabilities can be believed. Intervals are 95%, by
// Bootstrap; that of the calibration error is biased upwards, as the error itself
// is where bins hold few samples.
type Calibration struct {
	Loss          float64     `json:"loss"` // mean cross-entropy, natural logarithm
	LossInterval  *[2]float64 `json:"loss_ci95"`
	Brier         float64     `json:"brier"` // see brier
	BrierInterval *[2]float64 `json:"brier_ci95"`
	ECE           float64     `json:"ece"` // see Bin
	ECEInterval   *[2]float64 `json:"ece_ci95"`
	Reliability   []Bin       `json:"reliability"`
}

// Bin is one row of the reliability table: the samples whose prediction has a
// probability in (i/15, (i+1)/15]. The expected calibration error is the mean over
// samples of the distance between their bin's accuracy and its mean confidence (Guo
// et al., "On Calibration of Modern Neural Networks", 2017).
type Bin struct {
	Count      int         `json:"count"`
	Confidence *float64    `json:"confidence"` // mean probability of the predictions; nil of an empty bin
	Accuracy   *float64    `json:"accuracy"`   // share of them that are right; nil of an empty bin
	Interval   *[2]float64 `json:"accuracy_ci95"`
}

// bins is the number of equal-width bins of the calibration error.
const bins = 15

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

// minProbability keeps the logarithm finite: float64's epsilon, the value that
// scikit-learn's log_loss clips float64 probabilities to.
const minProbability = 0x1p-52

// brier is a row's part of the Brier score, Σ(p−y)² over all classes, 0 to 2
// (Brier, Monthly Weather Review 78, 1950). scikit-learn's brier_score_loss has it
// with scale_by_half=False, and halves it for two classes otherwise.
func brier(row []float32, label int) (sum float64) {
	for c, p := range row {
		d := float64(p)
		if c == label {
			d--
		}
		sum += d * d
	}
	return sum
}

// reliance is what calibration comes from, by sample.
type reliance struct{ losses, briers, confidences, hits []float64 }

func (a Answers) reliance(k int) reliance {
	n := len(a.Labels)
	r := reliance{a.Losses, make([]float64, n), make([]float64, n), make([]float64, n)}
	if r.losses == nil {
		r.losses = make([]float64, n)
		for i, y := range a.Labels {
			r.losses[i] = -math.Log(max(float64(a.Probs[i*k+y]), minProbability))
		}
	}
	for i, y := range a.Labels {
		row := a.Probs[i*k : (i+1)*k]
		p := Argmax(row)
		r.briers[i], r.confidences[i] = brier(row, y), float64(row[p])
		if p == y {
			r.hits[i] = 1
		}
	}
	return r
}

// Calibration is that of Evaluate alone, of as many classes.
func (a Answers) Calibration(classes int) (Calibration, error) {
	if err := a.check(classes); err != nil {
		return Calibration{}, err
	}
	r := a.reliance(classes)
	var table [bins]struct{ count, hits, confidence float64 }
	in := make([]uint8, len(a.Labels))
	for i, p := range r.confidences {
		in[i] = uint8(bin(p))
		b := &table[in[i]]
		b.count, b.hits, b.confidence = b.count+1, b.hits+r.hits[i], b.confidence+p
	}
	out := make([]float64, 3)
	figures := func(weights []float64) []float64 {
		var gap [bins]float64 // sum of correct − confidence
		var loss, brier, total, ece float64
		for i, w := range weights {
			loss, brier, total = loss+w*r.losses[i], brier+w*r.briers[i], total+w
			gap[in[i]] += w * (r.hits[i] - r.confidences[i])
		}
		for _, g := range gap {
			ece += math.Abs(g)
		}
		out[0], out[1], out[2] = loss/total, brier/total, ece/total
		return out
	}
	var c Calibration
	whole := figures(ones(len(a.Labels)))
	c.Loss, c.Brier, c.ECE = whole[0], whole[1], whole[2]
	intervals := Bootstrap(a.groups(), a.resamples(classes), seed, figures)
	c.LossInterval, c.BrierInterval, c.ECEInterval = known(intervals[0]), known(intervals[1]), known(intervals[2])
	for _, b := range table {
		c.Reliability = append(c.Reliability, Bin{int(b.count), defined(b.confidence / b.count), defined(b.hits / b.count), wilson(int(b.hits), int(b.count))})
	}
	return c, nil
}
