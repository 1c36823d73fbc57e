package metrics

// Clean is a report on the rows of a split whose images, and near duplicates of them,
// the model was neither trained nor chosen on.
type Clean struct {
	Basis    string     `json:"basis"` // how it is known, in words
	Total    int        `json:"total"`
	Correct  int        `json:"correct"`
	Accuracy *float64   `json:"accuracy"` // nil without rows
	Interval [2]float64 `json:"accuracy_ci95"`
	Balanced *float64   `json:"balanced_accuracy"` // mean recall of the classes that have rows
}

// Clean judges the rows that were not seen [n]; nil where that is not known.
func (a Answers) Clean(classes int, seen []bool, basis string) *Clean {
	if seen == nil {
		return nil
	}
	c := &Clean{Basis: basis}
	total, right := make([]int, classes), make([]int, classes)
	for i, y := range a.Labels {
		if seen[i] {
			continue
		}
		total[y]++
		if Argmax(a.Probs[i*classes:(i+1)*classes]) == y {
			right[y]++
		}
	}
	recall, labelled := 0.0, 0
	for y, n := range total {
		c.Total, c.Correct = c.Total+n, c.Correct+right[y]
		if n > 0 {
			recall += ratio(right[y], n)
			labelled++
		}
	}
	c.Interval[0], c.Interval[1] = Wilson(c.Correct, c.Total)
	if c.Total > 0 {
		c.Accuracy, c.Balanced = new(ratio(c.Correct, c.Total)), new(recall/float64(labelled))
	}
	return c
}

// CleanText is "63.6% (2099/3301)", "unknown" where it is not known what was seen.
func (r Report) CleanText() string {
	if r.Clean == nil {
		return "unknown"
	}
	return Share(r.Clean.Correct, r.Clean.Total)
}

// cleanInterval is the interval of Clean's accuracy as text, empty where there is none.
func (r Report) cleanInterval() string {
	if r.Clean == nil || r.Clean.Total == 0 {
		return ""
	}
	return percentRange(r.Clean.Interval)
}
