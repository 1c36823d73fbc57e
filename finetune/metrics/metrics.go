// Package metrics judges a classifier on one split: accuracy, cross-entropy, Brier
// score and calibration, precision, recall and F1, the areas under both curves of
// each class against the rest, Cohen's kappa and the confusion matrix, each with its
// 95% interval.
//
// The prediction for a sample is the class of highest probability; of equal
// ones the first. Precision of a class that is never predicted, recall of a class
// without samples and F1 of a class with neither are 0, as with scikit-learn's
// zero_division=0; every other figure that a split does not define is nil, and no
// figure is ever NaN.
package metrics

import (
	"fmt"
	"math"
)

// Schema is of a list of reports in JSON, metrics.json's and that of eval --json.
const Schema = "graft-metrics-1"

// Report is what is known about one split. Its JSON form is one element of
// what `graft eval --json` writes. A figure that the split does not define, such as
// the AUROC of a class without samples, is nil, null in JSON. Intervals are 95%: Wilson's
// of shares, Bootstrap's of all else.
type Report struct {
	Run      string     `json:"run"`
	Split    string     `json:"split"`
	Total    int        `json:"total"`
	Correct  int        `json:"correct"`
	Accuracy float64    `json:"accuracy"` // in [0,1], as every rate here
	Interval [2]float64 `json:"accuracy_ci95"`
	Clean    *Clean     `json:"clean"` // of the rows that the model has not seen, nil where that is not known
	TopK     []TopK     `json:"top_k"`
	Calibration
	Temperature       float64      `json:"temperature,omitempty"`  // that the probabilities' logits were divided by
	Uncalibrated      *Calibration `json:"uncalibrated,omitempty"` // at temperature 1; nil where that is the same
	Conformal         *Conformal   `json:"conformal,omitempty"`    // prediction sets, where they were asked for
	MacroF1           float64      `json:"macro_f1"`               // over the classes that occur in labels or predictions
	MacroF1Interval   *[2]float64  `json:"macro_f1_ci95"`
	Balanced          float64      `json:"balanced_accuracy"` // mean recall of the classes that have samples
	BalancedInterval  *[2]float64  `json:"balanced_accuracy_ci95"`
	Kappa             *float64     `json:"kappa"` // Cohen's, see kappa
	KappaInterval     *[2]float64  `json:"kappa_ci95"`
	AUROC             *float64     `json:"auroc"` // one class against the rest, mean over the classes that have it
	AUROCInterval     *[2]float64  `json:"auroc_ci95"`
	Precision         *float64     `json:"average_precision"` // likewise
	PrecisionInterval *[2]float64  `json:"average_precision_ci95"`
	Resamples         int          `json:"resamples"` // of Bootstrap
	Groups            int          `json:"groups"`    // that it drew from
	Classes           []Class      `json:"classes"`
	Confusion         [][]int      `json:"confusion"` // [true][predicted]
}

// Class is one class's part of a Report.
type Class struct {
	Name              string      `json:"name"`
	Total             int         `json:"total"`   // samples that carry this label
	Correct           int         `json:"correct"` // of them, predicted so
	Precision         float64     `json:"precision"`
	PrecisionInterval *[2]float64 `json:"precision_ci95"`
	Recall            float64     `json:"recall"`
	RecallInterval    *[2]float64 `json:"recall_ci95"`
	F1                float64     `json:"f1"`
	F1Interval        *[2]float64 `json:"f1_ci95"`
	AUROC             *float64    `json:"auroc"` // see ranking.areas
	AUROCInterval     *[2]float64 `json:"auroc_ci95"`
	Average           *float64    `json:"average_precision"`
	AverageInterval   *[2]float64 `json:"average_precision_ci95"`
}

// Answers are what a model says of samples whose labels are known.
type Answers struct {
	Probs  []float32 // [n,k] row-major, a distribution a row
	Labels []int     // [n], in 0…k-1
	// Groups [n] number the rows that belong together, see Bootstrap; empty takes
	// every row by itself.
	Groups []int
	// Losses [n] are the cross-entropies in nats where they are known better than from
	// Probs, in which float32 has made zeros; nil: of Probs.
	Losses []float64
}

// Evaluate judges probs, [n,k] row-major with k = len(classes), against n labels in
// [0,k); see Answers.Evaluate.
func Evaluate(probs []float32, labels []int, classes []string) (Report, error) {
	return Answers{Probs: probs, Labels: labels}.Evaluate(classes)
}

// sumTolerance is how far a row of probabilities may be from summing to 1.
// float32 softmax over a thousand classes stays under 1e-5.
const sumTolerance = 1e-3

// Evaluate makes the report on the answers. Run and Split of it are the caller's
// to fill. A row that is no probability distribution (NaN included), a label outside
// the classes, and an empty split are errors.
func (a Answers) Evaluate(classes []string) (r Report, err error) {
	k, n := len(classes), len(a.Labels)
	if r.Calibration, err = a.Calibration(k); err != nil {
		return Report{}, err
	}
	r.Total, r.Confusion = n, make([][]int, k)
	for i := range r.Confusion {
		r.Confusion[i] = make([]int, k)
	}
	for i, y := range a.Labels {
		r.Confusion[y][Argmax(a.Probs[i*k:(i+1)*k])]++
	}
	for c := range classes {
		r.Correct += r.Confusion[c][c]
	}
	r.Accuracy = float64(r.Correct) / float64(n)
	r.Interval[0], r.Interval[1] = Wilson(r.Correct, n)
	r.TopK = a.topK(k)
	r.addClasses(classes)
	a.addFigures(&r)
	return r, nil
}

// check refuses what cannot be judged and names the row.
func (a Answers) check(k int) error {
	probs, labels := a.Probs, a.Labels
	if k == 0 || len(labels) == 0 {
		return fmt.Errorf("nothing to evaluate: %d samples of %d classes", len(labels), k)
	}
	if len(probs) != len(labels)*k {
		return fmt.Errorf("probabilities: %d values for %d samples of %d classes, want %d", len(probs), len(labels), k, len(labels)*k)
	}
	if g := len(a.Groups); g != 0 && g != len(labels) {
		return fmt.Errorf("%d group numbers for %d samples", g, len(labels))
	}
	if l := len(a.Losses); l != 0 && l != len(labels) {
		return fmt.Errorf("%d losses for %d samples", l, len(labels))
	}
	for i, y := range labels {
		if y < 0 || y >= k {
			return fmt.Errorf("sample %d: label %d is outside the %d classes", i, y, k)
		}
		sum := 0.0
		for c, p := range probs[i*k : (i+1)*k] {
			if !(p >= 0 && p <= 1+sumTolerance) {
				return fmt.Errorf("sample %d: probability of class %d is %g, want a number from 0 to 1", i, c, p)
			}
			sum += float64(p)
		}
		if !(math.Abs(sum-1) <= sumTolerance) {
			return fmt.Errorf("sample %d: probabilities sum to %g, want 1", i, sum)
		}
	}
	return nil
}

// addClasses fills what the confusion matrix tells of each class but F1.
func (r *Report) addClasses(classes []string) {
	for c, name := range classes {
		total, predicted := 0, 0
		for j := range classes {
			total += r.Confusion[c][j]
			predicted += r.Confusion[j][c]
		}
		hit := r.Confusion[c][c]
		r.Classes = append(r.Classes, Class{Name: name, Total: total, Correct: hit,
			Precision: ratio(hit, predicted), PrecisionInterval: wilson(hit, predicted),
			Recall: ratio(hit, total), RecallInterval: wilson(hit, total)})
	}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Argmax is the index of the highest value, of equal ones the first.
func Argmax(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}
