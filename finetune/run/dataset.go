package run

import (
	"strings"

	"graft/preprocess/dataset"
)

// DataOptions name a dataset; see dataset.Open.
type DataOptions struct {
	Path     string `json:"path,omitempty"`
	FERPlus  string `json:"ferplus,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`      // of the synthetic set
	PerClass int    `json:"per_class,omitempty"` // of the synthetic set
	SkipBad  bool   `json:"skip_bad,omitempty"`
}

// Recorded is what config.json holds: paths from the root, and only what the
// dataset depends on.
func (o DataOptions) Recorded() DataOptions {
	if list, ok := strings.CutPrefix(o.Path, dataset.ListPrefix); ok {
		o.Path, o.Seed, o.PerClass = dataset.ListPrefix+Absolute(list), 0, 0
	} else if o.Path != "" && o.Path != dataset.SyntheticPath {
		o.Path, o.Seed, o.PerClass = Absolute(o.Path), 0, 0
	}
	if o.FERPlus != "" {
		o.FERPlus = Absolute(o.FERPlus)
	}
	return o
}
