package dataset

import "fmt"

// Keep drops all samples but those at indices, which ascend: a drawn sample
// becomes a set of its own, with a fingerprint of its own. Image must not be
// running.
func (d *Dataset) Keep(indices []int) error {
	good := make([]bool, len(d.Samples))
	last := -1
	for _, i := range indices {
		if i <= last || i >= len(good) {
			return fmt.Errorf("%s: sample %d after sample %d, want ascending indices below %d", d.Path, i, last, len(good))
		}
		good[i], last = true, i
	}
	d.keep(good)
	return nil
}
