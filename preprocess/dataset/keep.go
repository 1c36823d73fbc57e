package dataset

import "fmt"

// Keep drops all samples but those at indices, which ascend: a drawn sample
// becomes a set of its own, with a fingerprint of its own. Image must not be
// running.
func (d *Dataset) Keep(indices []int) error {
	last := -1
	for _, i := range indices {
		if i <= last || i >= len(d.Samples) {
			return fmt.Errorf("%s: sample %d after sample %d, want ascending indices below %d", d.Path, i, last, len(d.Samples))
		}
		last = i
	}
	d.keep(indices)
	return nil
}

// keep is Keep of indices that ascend.
func (d *Dataset) keep(kept []int) {
	d.Samples = pick(d.Samples, kept)
	if d.rows != nil {
		d.rows = pick(d.rows, kept)
	}
	if d.groups != nil {
		d.groups = pick(d.groups, kept)
	}
	d.src.keep(kept)
}

// pick moves the elements at kept, which ascend, to the front of list and cuts off
// the rest.
func pick[T any](list []T, kept []int) []T {
	for to, from := range kept {
		list[to] = list[from]
	}
	return list[:len(kept)]
}
