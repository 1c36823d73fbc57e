package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"graft/finetune/head"
)

// Class weightings beside numbers.
const (
	WeightsNone     = "none"
	WeightsBalanced = "balanced" // n/(K·n_c): every class weighs as much as another
)

// Imbalance says what is made of classes with unequal numbers of samples.
type Imbalance struct {
	// ClassWeights is WeightsNone (also ""), WeightsBalanced, a number for each class in their order, such as
	// "1,5,1", or numbers of some, such as "disgust=5", the others' being 1.
	ClassWeights string
	// LogitAdjust is τ of the logit-adjusted loss (Menon et al., "Long-tail learning via logit adjustment", 2021,
	// equation 10): in training τ·log π is added to the logits, π being the classes' shares of what is trained on, and in
	// judging it is not, so that with τ = 1 the mean recall of the classes is aimed at and not the accuracy. 0 is the usual loss.
	LogitAdjust float64
}

// check refuses what no classes make sense of.
func (i Imbalance) check() error {
	if !(i.LogitAdjust >= 0 && i.LogitAdjust <= math.MaxFloat32) {
		return fmt.Errorf("logit adjustment τ %g, want above 0, or 0 for none", i.LogitAdjust)
	}
	if i.named() {
		return nil
	}
	_, err := i.parse()
	return err
}

// named tells whether the weights are none of numbers.
func (i Imbalance) named() bool {
	return i.ClassWeights == "" || i.ClassWeights == WeightsNone || i.ClassWeights == WeightsBalanced
}

// weight is one number of the class weights; of a class by name, or "".
type weight struct {
	class  string
	number float64
}

func (i Imbalance) parse() ([]weight, error) {
	var out []weight
	for _, part := range strings.Split(i.ClassWeights, ",") {
		var w weight
		text := strings.TrimSpace(part)
		if at := strings.LastIndex(text, "="); at >= 0 {
			w.class, text = strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])
		}
		var err error
		w.number, err = strconv.ParseFloat(text, 64)
		if err != nil || !(w.number >= 0 && w.number <= math.MaxFloat32) || len(out) > 0 && (w.class == "") != (out[0].class == "") {
			return nil, fmt.Errorf("class weights %q: %q; want %s, %s, a number of 0 or more for each class (1,5,1), or of some (name=5)",
				i.ClassWeights, part, WeightsNone, WeightsBalanced)
		}
		out = append(out, w)
	}
	return out, nil
}

// weights are those of the classes, for labels that are trained on; nil where all are 1.
func (i Imbalance) weights(labels []int, classes []string) ([]float64, error) {
	switch i.ClassWeights {
	case "", WeightsNone:
		return nil, nil
	case WeightsBalanced:
		return head.Balanced(labels, len(classes)), nil
	}
	list, err := i.parse()
	if err != nil {
		return nil, err
	}
	out := slices.Repeat([]float64{1}, len(classes))
	if list[0].class == "" && len(list) != len(classes) {
		return nil, fmt.Errorf("class weights %s: %d numbers for the %d classes %s", i.ClassWeights, len(list), len(classes), strings.Join(classes, ", "))
	}
	for at, w := range list {
		if w.class != "" {
			if at = slices.Index(classes, w.class); at < 0 {
				return nil, fmt.Errorf("class weights %s: no class %q; there are %s", i.ClassWeights, w.class, strings.Join(classes, ", "))
			}
		}
		out[at] = w.number
	}
	if slices.Min(out) == slices.Max(out) {
		return nil, fmt.Errorf("class weights %s would have no effect: all classes weigh alike", i.ClassWeights)
	}
	return out, nil
}

// offsets are τ·log π of the classes, for labels that are trained on; nil for no adjustment.
func (i Imbalance) offsets(labels []int, classes []string) ([]float64, error) {
	if i.LogitAdjust == 0 {
		return nil, nil
	}
	counts := make([]float64, len(classes))
	for _, y := range labels {
		counts[y]++
	}
	if slices.Min(counts) == slices.Max(counts) {
		return nil, fmt.Errorf("logit adjustment τ %g would have no effect: all classes have %g samples", i.LogitAdjust, counts[0])
	}
	out := make([]float64, len(classes))
	for k, n := range counts {
		if n == 0 {
			return nil, fmt.Errorf("logit adjustment: class %s has no training sample, and no frequency to adjust by", classes[k])
		}
		out[k] = i.LogitAdjust * math.Log(n/float64(len(labels)))
	}
	return out, nil
}
