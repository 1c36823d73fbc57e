package load

import (
	"fmt"
	"slices"
	"strings"

	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// Splits are the splits of a store or dataset.
type Splits struct {
	Where string // for messages
	names []string
	Rows  map[string]int // of each
}

// StoreSplits are those of a store.
func StoreSplits(s *store.Store) Splits {
	return Splits{"store " + s.Dir(), s.Splits(), s.Info().Splits}
}

// DatasetSplits are those of a dataset.
func DatasetSplits(d *dataset.Dataset) Splits {
	t := Splits{"dataset " + d.Path, d.Splits, map[string]int{}}
	for _, s := range d.Samples {
		t.Rows[s.Split]++
	}
	return t
}

// HeldOut lists the splits with rows that were not trained on.
func (t Splits) HeldOut() []string {
	var out []string
	for _, split := range t.names {
		if split != dataset.Train && t.Rows[split] > 0 {
			out = append(out, split)
		}
	}
	return out
}

// Judged is what to judge a run on: the splits that were asked for, or else
// public-test where there is one, as the study has it, and elsewhere all that
// was not trained on.
func (t Splits) Judged(asked []string) ([]string, error) {
	if len(asked) > 0 {
		return asked, t.Check(asked)
	}
	out := t.HeldOut()
	if slices.Contains(out, dataset.PublicTest) {
		return []string{dataset.PublicTest}, nil
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds only what was trained on; name it with --split %s", t.Where, dataset.Train)
	}
	return out, nil
}

// CheckFold refuses a name for a fold of train that a split has.
func (t Splits) CheckFold(name string) error {
	if slices.Contains(t.names, name) {
		return fmt.Errorf("%s has a split %s of its own, as a fold of train would be called", t.Where, name)
	}
	return nil
}

// Validation is the split that the study's recipe watches: public-test, or
// what other datasets call so; "" if there is none.
func (t Splits) Validation() string {
	held := t.HeldOut()
	for _, want := range []string{dataset.PublicTest, dataset.Val, "validation"} {
		if slices.Contains(held, want) {
			return want
		}
	}
	return ""
}

// Check names the known splits when one is unknown.
func (t Splits) Check(splits []string) error {
	for _, split := range splits {
		if !slices.Contains(t.names, split) {
			return fmt.Errorf("%s has no split %q; it has %s", t.Where, split, strings.Join(t.names, ", "))
		}
	}
	return nil
}
