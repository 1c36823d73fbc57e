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

	BalancedInterval *[2]float64 `json:"balanced_accuracy_ci95"`
}

// Clean judges the rows that were not seen [n]; nil where that is not known.
func (a Answers) Clean(classes int, seen []bool, basis string) *Clean {
	if seen == nil {
		return nil
	}
	a = a.unseen(classes, seen)
	c := &Clean{Basis: basis, Total: len(a.Labels)}
	hits := make([]float64, c.Total)
	for i, y := range a.Labels {
		if Argmax(a.Probs[i*classes:(i+1)*classes]) == y {
			hits[i] = 1
			c.Correct++
		}
	}
	c.Interval[0], c.Interval[1] = Wilson(c.Correct, c.Total)
	if c.Total == 0 {
		return c
	}
	total, right := make([]float64, classes), make([]float64, classes)
	balanced := func(weights []float64) []float64 {
		clear(total)
		clear(right)
		for i, y := range a.Labels {
			total[y], right[y] = total[y]+weights[i], right[y]+weights[i]*hits[i]
		}
		var recall mean
		for y, n := range total {
			recall.add(right[y] / n)
		}
		return []float64{recall.value()}
	}
	c.Accuracy, c.Balanced = new(ratio(c.Correct, c.Total)), &balanced(ones(c.Total))[0]
	c.BalancedInterval = known(Bootstrap(a.groups(), a.resamples(classes), seed, balanced)[0])
	return c
}

// unseen are the answers [n,classes] on rows that were not seen.
func (a Answers) unseen(classes int, seen []bool) (out Answers) {
	for i, known := range seen {
		if known {
			continue
		}
		out.Labels, out.Probs = append(out.Labels, a.Labels[i]), append(out.Probs, a.Probs[i*classes:(i+1)*classes]...)
		if len(a.Groups) > 0 {
			out.Groups = append(out.Groups, a.Groups[i])
		}
	}
	return out
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
