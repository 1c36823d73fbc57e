package compare

import (
	"fmt"
	"slices"

	"graft/finetune/run"
)

// answers are a run's predictions of a split.
type answers struct {
	*run.Predictions
	right     []bool
	classes   []string
	data      run.DatasetRecord
	notUsable string // why these cannot be compared with others
	// samples are the accuracies of several runs by what rows they count, RowsAll or RowsClean;
	// the predictions are then the first one's. Nil of a single run.
	samples map[string][]float64
}

// readAnswers reads the predictions of the splits that a run has figures of.
func (c *Comparison) readAnswers(dir string, config run.Config) error {
	c.answers = map[string]answers{}
	for _, r := range c.Reports {
		p, err := run.ReadPredictions(dir, r.Split, config.Classes)
		if err != nil {
			return err
		}
		a := answers{Predictions: p, classes: config.Classes, data: config.Dataset}
		if p == nil {
			a.notUsable = fmt.Sprintf("%s has no predictions of it (graft eval writes them, to --predictions)", c.Run)
		} else if a.right = p.Right(); len(a.right) != r.Total || count(a.right) != r.Correct {
			a.notUsable = fmt.Sprintf("%s: its predictions have %d of %d right, its metrics %d of %d", c.Run, count(a.right), len(a.right), r.Correct, r.Total)
		}
		c.answers[r.Split] = a
	}
	return nil
}

func count(list []bool) (n int) {
	for _, v := range list {
		if v {
			n++
		}
	}
	return n
}

// unlike says why two runs did not judge the same rows, nothing if they did.
func (a answers) unlike(b answers) string {
	votes := a.data.FERPlus != "" || b.data.FERPlus != "" // which a fingerprint covers, though no row depends on them
	print, other := a.data.Fingerprint, b.data.Fingerprint
	switch {
	case a.notUsable != "":
		return a.notUsable
	case b.notUsable != "":
		return b.notUsable
	case print != other && print != "" && other != "" && !votes:
		return fmt.Sprintf("they judged other data sets, %s and %s, by their fingerprints", a.data.Name, b.data.Name)
	case !slices.Equal(a.classes, b.classes):
		return "they know other classes"
	case len(a.IDs) != len(b.IDs):
		return fmt.Sprintf("they judged other rows, %d and %d", len(a.IDs), len(b.IDs))
	}
	for i, id := range a.IDs {
		if id != b.IDs[i] || a.Indices[i] != b.Indices[i] || a.Labels[i] != b.Labels[i] {
			return fmt.Sprintf("they judged other rows: row %d is %s (%s) and %s (%s)", i+1, id, a.classes[a.Labels[i]], b.IDs[i], b.classes[b.Labels[i]])
		}
	}
	return ""
}
