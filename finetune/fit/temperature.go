package fit

import "math"

// The bounds of temperatures.
const (
	MinTemperature = 0.01
	MaxTemperature = 100.0
)

// Temperature is the T above 0 for which the probabilities softmax(logits/T) lose the
// least on labels, logits being [len(labels),classes] of samples that the model was not
// trained on (Guo et al., "On Calibration of Modern Neural Networks", 2017). It changes no
// prediction. The loss is convex in 1/T; ok is false where its minimum is not between the
// bounds: where all labels have the highest logit, so that no confidence is too much, or
// where the logits say less than nothing about them.
func Temperature(logits []float32, labels []int, classes int) (t float64, ok bool) {
	low, high := 1/MaxTemperature, 1/MinTemperature // of 1/T
	if slope, _ := lossSlope(logits, labels, classes, low); !(slope < 0) {
		return 1, false
	}
	if slope, _ := lossSlope(logits, labels, classes, high); !(slope > 0) {
		return 1, false
	}
	inverse := 1.0
	for range 100 {
		slope, curvature := lossSlope(logits, labels, classes, inverse)
		if slope < 0 {
			low = inverse
		} else {
			high = inverse
		}
		next := inverse - slope/curvature // Newton's step, or where it leaves the bracket, halving
		if !(next > low && next < high) {
			next = math.Sqrt(low * high)
		}
		if math.Abs(next-inverse) <= 1e-12*inverse {
			break
		}
		inverse = next
	}
	return 1 / inverse, true
}

// lossSlope is the first and second derivative, by 1/T, of the summed cross-entropy: of
// each row the mean of the logits under softmax(logits/T) less the label's, and their variance.
func lossSlope(logits []float32, labels []int, classes int, inverse float64) (slope, curvature float64) {
	for i, y := range labels {
		row := logits[i*classes : (i+1)*classes]
		top := row[y]
		for _, z := range row {
			top = max(top, z)
		}
		var sum, first, second float64 // of exp, weighted by the logits' distance from the top
		for _, z := range row {
			d := float64(z) - float64(top)
			e := math.Exp(d * inverse)
			sum, first, second = sum+e, first+e*d, second+e*d*d
		}
		mean := first / sum
		slope += mean - (float64(row[y]) - float64(top))
		curvature += second/sum - mean*mean
	}
	return slope, curvature
}

// Cool divides logits by a temperature, and leaves them as they are at 1.
func Cool(logits []float32, temperature float64) []float32 {
	if temperature == 1 {
		return logits
	}
	out := make([]float32, len(logits))
	for i, z := range logits {
		out[i] = z / float32(temperature)
	}
	return out
}
