package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// Progress makes a function that is told how far a piece of work is, by what
// the work is called. It may be nil, and so may be what it makes.
type Progress func(label string) func(done, total int64)

// Of is nil where nobody is to be told.
func (p Progress) Of(label string) func(done, total int64) {
	if p == nil {
		return nil
	}
	return p(label)
}

// LeftOut is a sentence on what SkipBad left out, none if nothing.
func LeftOut(d *dataset.Dataset) []string {
	if len(d.Bad) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d bad entries of %s are left out; the first: %s: %s", len(d.Bad), d.Name(), d.Bad[0].Where, d.Bad[0].Reason)}
}

// openData opens the given dataset, or the one that the run was trained on.
func openData(ctx context.Context, r *run.Run, given dataset.Ref, progress Progress) (*dataset.Dataset, error) {
	ref := given
	if ref.Path == "" {
		ref = r.Config.Dataset.Ref
	}
	switch {
	case ref.Path == "":
		return nil, fmt.Errorf("run %s names no dataset; give one with --data", r.Dir)
	case given.Path == "" && !ref.Exists():
		return nil, fmt.Errorf("the dataset that run %s was trained on is not at %s any more; name one with --data", r.Dir, ref.Path)
	}
	ref.Verify = ref.SkipBad // so that bad files are left out too
	d, err := dataset.Open(ctx, ref, progress.Of("reading "+ref.Path))
	if err != nil {
		return nil, err
	}
	return d, SameClasses(d, r.Config.Classes, "run "+r.Dir)
}

// SameClasses closes a dataset of other classes than who wants, and says so.
func SameClasses(d *dataset.Dataset, classes []string, who string) error {
	had, want := strings.Join(d.Classes, ", "), strings.Join(classes, ", ")
	if had == want {
		return nil
	}
	return errors.Join(fmt.Errorf("dataset %s has the classes %s, %s wants %s", d.Path, had, who, want), d.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
