package finetune

import (
	"fmt"
	"slices"
	"strings"

	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// The splits that have a part to play, by the names they have in FER2013.
const (
	trainSplit = "train" // what models are trained on, in every dataset
	publicTest = "public-test"
)

// splitTable is the splits of a store or dataset.
type splitTable struct {
	where string // for messages
	names []string
	rows  map[string]int // of each
}

func storeSplits(s *store.Store) splitTable {
	return splitTable{"store " + s.Dir(), s.Splits(), rowsPerSplit(s)}
}

func datasetSplits(d *dataset.Dataset) splitTable {
	t := splitTable{"dataset " + d.Path, d.Splits, map[string]int{}}
	for _, s := range d.Samples {
		t.rows[s.Split]++
	}
	return t
}

// heldOut lists the splits with rows that were not trained on.
func (t splitTable) heldOut() []string {
	var out []string
	for _, split := range t.names {
		if split != trainSplit && t.rows[split] > 0 {
			out = append(out, split)
		}
	}
	return out
}

// judged is what to judge a run on: the splits that were asked for, or else
// public-test where there is one, as the study has it, and elsewhere all that
// was not trained on.
func (t splitTable) judged(asked []string) ([]string, error) {
	if len(asked) > 0 {
		return asked, t.check(asked)
	}
	out := t.heldOut()
	if slices.Contains(out, publicTest) {
		return []string{publicTest}, nil
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds only what was trained on; name it with --split %s", t.where, trainSplit)
	}
	return out, nil
}

// validation is the split that the study's recipe watches: public-test, or
// what other datasets call so; "" if there is none.
func (t splitTable) validation() string {
	held := t.heldOut()
	for _, want := range []string{publicTest, "val", "validation"} {
		if slices.Contains(held, want) {
			return want
		}
	}
	return ""
}

// check names the known splits when one is unknown.
func (t splitTable) check(splits []string) error {
	for _, split := range splits {
		if !slices.Contains(t.names, split) {
			return fmt.Errorf("%s has no split %q; it has %s", t.where, split, strings.Join(t.names, ", "))
		}
	}
	return nil
}
