// Package metrics judges a classifier on one split: accuracy with its
// interval, cross-entropy, precision, recall and F1 per class, calibration and
// the confusion matrix.
//
// The prediction for a sample is the class of highest probability; of equal
// ones the first. Quotients without a denominator (precision of a class that
// is never predicted, recall of a class without samples) are 0, as with
// scikit-learn's zero_division=0, so no figure is ever NaN.
package metrics

import (
	"fmt"
	"math"
)

// Schema is of a list of reports in JSON, metrics.json's and that of eval --json.
const Schema = "graft-metrics-1"

// Report is what is known about one split. Its JSON form is one element of
// what `graft eval --json` writes.
type Report struct {
	Run       string     `json:"run"`
	Split     string     `json:"split"`
	Total     int        `json:"total"`
	Correct   int        `json:"correct"`
	Accuracy  float64    `json:"accuracy"`      // in [0,1], as every rate here
	Interval  [2]float64 `json:"accuracy_ci95"` // Wilson score interval
	Loss      float64    `json:"loss"`          // mean cross-entropy, natural logarithm
	MacroF1   float64    `json:"macro_f1"`      // over the classes that occur in labels or predictions
	Balanced  float64    `json:"balanced_accuracy"`
	ECE       float64    `json:"ece"` // 15 bins; see ece
	Classes   []Class    `json:"classes"`
	Confusion [][]int    `json:"confusion"` // [true][predicted]
}

// Class is one class's part of a Report.
type Class struct {
	Name      string  `json:"name"`
	Total     int     `json:"total"`   // samples that carry this label
	Correct   int     `json:"correct"` // of them, predicted so
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// minProbability keeps the logarithm finite: float64's epsilon, the value that
// scikit-learn's log_loss clips float64 probabilities to.
const minProbability = 0x1p-52

// sumTolerance is how far a row of probabilities may be from summing to 1.
// float32 softmax over a thousand classes stays under 1e-5.
const sumTolerance = 1e-3

// Evaluate judges probs, [n,k] row-major with k = len(classes), against n
// labels in [0,k). Run and Split of the report are the caller's to fill. A row
// that is no probability distribution (NaN included), a label outside the
// classes, and an empty split are errors.
func Evaluate(probs []float32, labels []int, classes []string) (Report, error) {
	k, n := len(classes), len(labels)
	if err := check(probs, labels, k); err != nil {
		return Report{}, err
	}
	confusion := make([][]int, k)
	for i := range confusion {
		confusion[i] = make([]int, k)
	}
	r := Report{Total: n, Confusion: confusion}
	for i, y := range labels {
		row := probs[i*k : (i+1)*k]
		p := Argmax(row)
		confusion[y][p]++
		if p == y {
			r.Correct++
		}
		r.Loss -= math.Log(max(float64(row[y]), minProbability))
	}
	r.Loss /= float64(n)
	r.Accuracy = float64(r.Correct) / float64(n)
	r.Interval[0], r.Interval[1] = Wilson(r.Correct, n)
	r.ECE = ece(probs, labels, k)
	r.addClasses(classes)
	return r, nil
}

// check refuses what cannot be judged and names the row.
func check(probs []float32, labels []int, k int) error {
	if k == 0 || len(labels) == 0 {
		return fmt.Errorf("nothing to evaluate: %d samples of %d classes", len(labels), k)
	}
	if len(probs) != len(labels)*k {
		return fmt.Errorf("probabilities: %d values for %d samples of %d classes, want %d", len(probs), len(labels), k, len(labels)*k)
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

// addClasses fills what follows from the confusion matrix.
func (r *Report) addClasses(classes []string) {
	var f1, recall float64
	occurring, labelled := 0, 0
	for c, name := range classes {
		total, predicted := 0, 0
		for j := range classes {
			total += r.Confusion[c][j]
			predicted += r.Confusion[j][c]
		}
		hit := r.Confusion[c][c]
		one := Class{Name: name, Total: total, Correct: hit, Precision: ratio(hit, predicted), Recall: ratio(hit, total)}
		one.F1 = ratio(2*hit, total+predicted) // the harmonic mean of both, free of 0/0
		r.Classes = append(r.Classes, one)
		if total > 0 {
			labelled++
			recall += one.Recall
		}
		if total+predicted > 0 {
			occurring++
			f1 += one.F1
		}
	}
	r.MacroF1, r.Balanced = f1/float64(occurring), recall/float64(labelled)
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
