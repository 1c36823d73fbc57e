package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Sets are split-conformal prediction sets: of each sample the classes whose score
// 1−p is at most a limit, so chosen on samples that the model was not trained on that
// the set of a further sample holds its label with a probability of Level or more,
// whatever the model, if the samples are exchangeable. The score is that of least
// ambiguous sets (Sadinle, Lei and Wasserman, Journal of the American Statistical
// Association 114, 2019): no other has smaller sets on average, and a set may be empty.
type Sets struct {
	Level float64  `json:"level"` // of coverage, above 0 and below 1
	Rows  int      `json:"calibration_rows"`
	Limit *float64 `json:"limit"` // nil where the rows are too few for the level: all classes are in every set
}

// Coverage is how sets turn out on samples whose labels are known.
type Coverage struct {
	Total        int         `json:"total"`
	Covered      int         `json:"covered"` // samples whose set holds their label
	Share        *float64    `json:"coverage"`
	Interval     *[2]float64 `json:"coverage_ci95"`
	MeanSize     *float64    `json:"mean_size"`
	SizeInterval *[2]float64 `json:"mean_size_ci95"`
	Sizes        []int       `json:"sizes"` // how many sets are of 0, 1, … classes
}

// Conformal is a report's part on prediction sets.
type Conformal struct {
	Sets
	Coverage
	Clean *Coverage `json:"clean,omitempty"` // of the rows not seen in training; nil where that is not known
}

// NewSets chooses the limit of a level on answers [n,classes]: the ⌈(n+1)·level⌉-th
// smallest score of the labels.
func NewSets(a Answers, classes int, level float64) (Sets, error) {
	if !(level > 0 && level < 1) {
		return Sets{}, fmt.Errorf("a coverage of %g, want above 0 and below 1", level)
	}
	if err := a.check(classes); err != nil {
		return Sets{}, err
	}
	n := len(a.Labels)
	s := Sets{Level: level, Rows: n}
	// 20·0.95 must be 19, and not a hair more.
	if at := int(math.Ceil(float64(n+1)*level - 1e-9)); at <= n {
		scores := make([]float64, n)
		for i, y := range a.Labels {
			scores[i] = score(a.Probs[i*classes+y])
		}
		slices.Sort(scores)
		s.Limit = &scores[at-1]
	}
	return s, nil
}

func score(p float32) float64 { return 1 - float64(p) }

// Judge judges the sets of answers [n,classes], and of their rows that were not seen [n]
// beside; nil where that is not known.
func (s Sets) Judge(a Answers, classes int, seen []bool) (*Conformal, error) {
	if err := a.check(classes); err != nil {
		return nil, err
	}
	c := &Conformal{Sets: s, Coverage: s.coverage(a, classes)}
	if seen != nil {
		c.Clean = new(s.coverage(a.unseen(classes, seen), classes))
	}
	return c, nil
}

// coverage makes the sets and compares them with the labels.
func (s Sets) coverage(a Answers, classes int) Coverage {
	c := Coverage{Total: len(a.Labels), Sizes: make([]int, classes+1)}
	sizes := make([]float64, c.Total)
	for i, y := range a.Labels {
		size := 0
		for j, p := range a.Probs[i*classes : (i+1)*classes] {
			if s.Limit != nil && score(p) > *s.Limit {
				continue
			}
			size++
			if j == y {
				c.Covered++
			}
		}
		c.Sizes[size]++
		sizes[i] = float64(size)
	}
	if c.Total == 0 {
		return c
	}
	c.Share, c.Interval = defined(float64(c.Covered)/float64(c.Total)), wilson(c.Covered, c.Total)
	mean := func(weights []float64) []float64 {
		var sum, total float64
		for i, w := range weights {
			sum, total = sum+w*sizes[i], total+w
		}
		return []float64{sum / total}
	}
	c.MeanSize = &mean(ones(c.Total))[0]
	c.SizeInterval = known(Bootstrap(a.groups(), Resamples, seed, mean)[0])
	return c
}
