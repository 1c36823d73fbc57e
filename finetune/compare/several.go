package compare

import (
	"fmt"
	"path/filepath"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/run"
)

// compareSeveral makes one entry of the runs of one setting below dir: figures are
// means over runs.
func compareSeveral(dir string, s *run.Summary) (c Comparison, err error) {
	if len(s.Runs) == 0 {
		return c, fmt.Errorf("%s holds no finished run yet", dir)
	}
	var all []Comparison
	for _, name := range s.Runs {
		one, err := compareOne(filepath.Join(dir, name))
		if err != nil {
			return c, err
		}
		all = append(all, one)
	}
	c = all[0]
	c.Run, c.Model = filepath.ToSlash(filepath.Clean(dir)), fmt.Sprintf("%s, %d %ss", c.Model, len(all), s.By)
	c.History, c.Reports, c.Epochs, c.Seconds = []fit.Epoch{}, nil, 0, 0
	c.Summary = s.Splits
	for i, one := range all {
		c.Epochs = max(c.Epochs, one.Epochs)
		c.Seconds += one.Seconds / float64(len(all))
		for _, note := range one.Notes {
			if i > 0 && !slices.Contains(c.Notes, note) {
				c.Notes = append(c.Notes, note)
			}
		}
		for _, r := range one.Reports {
			r.Split = s.Split(r.Split)
			c.Reports = append(c.Reports, r)
		}
	}
	c.answers = severalAnswers(c.Run, all, s)
	return c, nil
}

// severalAnswers are, of a cross-validation, the predictions of each row of train by the
// run that did not learn from it; of several seeds the accuracies of all.
func severalAnswers(name string, all []Comparison, s *run.Summary) map[string]answers {
	out := map[string]answers{}
	for _, one := range all {
		for _, r := range one.Reports {
			a, kept := one.answers[r.Split], s.Split(r.Split)
			had, known := out[kept]
			switch {
			case kept == run.ByFold:
				out[kept] = had.with(a)
			case s.By == run.ByFold:
				out[kept] = answers{notUsable: name + " is one model for each fold; name one of them for that"}
			case !known:
				out[kept] = a.sampled(r)
			case had.unlike(a) != "":
				out[kept] = answers{notUsable: fmt.Sprintf("%s: %s", name, had.unlike(a))}
			default:
				out[kept] = had.sampled(r)
			}
		}
	}
	if pooled, ok := out[run.ByFold]; ok && pooled.notUsable == "" {
		out[run.ByFold] = pooled.sorted()
	}
	return out
}

// sampled has one run's accuracies more.
func (a answers) sampled(r metrics.Report) answers {
	if a.samples == nil {
		a.samples = map[string][]float64{}
	}
	a.samples[RowsAll] = append(a.samples[RowsAll], r.Accuracy)
	if r.Clean != nil && r.Clean.Accuracy != nil {
		a.samples[RowsClean] = append(a.samples[RowsClean], *r.Clean.Accuracy)
	}
	return a
}

// with are the answers of both, of other rows each.
func (a answers) with(b answers) answers {
	if a.Predictions == nil && a.notUsable == "" || b.notUsable != "" {
		return b
	}
	if a.notUsable != "" {
		return a
	}
	p, q := *a.Predictions, b.Predictions
	p.Indices, p.IDs = slices.Concat(p.Indices, q.Indices), slices.Concat(p.IDs, q.IDs)
	p.Labels, p.Predicted = slices.Concat(p.Labels, q.Labels), slices.Concat(p.Predicted, q.Predicted)
	p.Groups, p.Clean = joinGroups(p.Groups, q.Groups), nil // all clean
	a.Predictions, a.right = &p, slices.Concat(a.right, b.right)
	return a
}

// joinGroups numbers the groups of two folds, which share none, as one list.
func joinGroups(a, b []int) []int {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	out, first := slices.Clone(a), slices.Max(a)+1-slices.Min(b)
	for _, g := range b {
		out = append(out, first+g)
	}
	return out
}

// sorted are the answers in the dataset's order.
func (a answers) sorted() answers {
	order := make([]int, len(a.Indices))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return a.Indices[i] - a.Indices[j] })
	p, right := &run.Predictions{}, make([]bool, len(order))
	for to, i := range order {
		p.Indices, p.IDs = append(p.Indices, a.Indices[i]), append(p.IDs, a.IDs[i])
		p.Labels, p.Predicted = append(p.Labels, a.Labels[i]), append(p.Predicted, a.Predicted[i])
		if a.Groups != nil {
			p.Groups = append(p.Groups, a.Groups[i])
		}
		right[to] = a.right[i]
	}
	a.Predictions, a.right = p, right
	return a
}
