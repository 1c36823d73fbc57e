package rank

import (
	"slices"
	"strconv"
	"strings"
)

// DefaultTaps picks a few of a backbone's taps: all that it gives at its end,
// and those after half and three quarters of its blocks, where features are
// often better for images unlike those it was trained on.
func DefaultTaps(known []string) []string {
	depth := 0
	for _, t := range known {
		_, k := block(t)
		depth = max(depth, k)
	}
	var out []string
	for _, t := range known {
		if _, k := block(t); k == 0 || k == (depth+1)/2 || k == (3*depth+3)/4 && k < depth {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		_, i := block(a)
		_, j := block(b)
		return i - j
	})
	return out
}

// block cuts cls_9 into cls and 9; taps of no block have 0.
func block(tap string) (kind string, number int) {
	kind, digits, found := strings.Cut(tap, "_")
	if !found {
		return kind, 0
	}
	number, err := strconv.Atoi(digits)
	if err != nil {
		return tap, 0
	}
	return kind, number
}
