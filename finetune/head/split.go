package head

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"graft/internal/plural"
)

// HoldOut draws a share of each class's groups, and at least one of a class
// that has two; a group counts to the class of its first row. Groups [len(y)]
// number the rows that stay on one side, nil takes every row by itself. It
// returns the other rows and those held out, both ascending.
func HoldOut(y []int, classes int, groups []int, share float64, seed uint64) (fitted, held []int, err error) {
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("a share of %g to hold out, want above 0 and below 1", share)
	}
	g, err := groupRows(y, classes, groups)
	if err != nil {
		return nil, nil, err
	}
	out := make(map[int]bool)
	g.shuffle(seed, 0x686f6c646f7574) // "holdout"
	for _, gs := range g.byClass {
		part := int(math.Round(float64(len(gs)) * share))
		if len(gs) > 1 {
			part = min(max(1, part), len(gs)-1)
		}
		for _, g := range gs[:part] {
			out[g] = true
		}
	}
	for i := range y {
		if out[g.of(i)] {
			held = append(held, i)
		} else {
			fitted = append(fitted, i)
		}
	}
	if len(held) == 0 || len(fitted) == 0 {
		return nil, nil, fmt.Errorf("%s: too few to hold some out", plural.Of(len(y), "row"))
	}
	return fitted, held, nil
}

// Folds gives every row a fold from 0 to n-1, drawn so that each has its share of
// every class's groups, as HoldOut counts them: no group is in two.
func Folds(y []int, classes int, groups []int, n int, seed uint64) ([]int, error) {
	g, err := groupRows(y, classes, groups)
	if err != nil {
		return nil, err
	}
	g.shuffle(seed, 0x666f6c6473) // "folds"
	all := slices.Concat(g.byClass...)
	if n < 2 || len(all) < n {
		return nil, fmt.Errorf("%s of %s in %s, want 2 folds or more and a group for each", plural.Of(n, "fold"), plural.Of(len(y), "row"), plural.Of(len(all), "group"))
	}
	fold := make(map[int]int, len(all))
	for i, one := range all {
		fold[one] = i % n
	}
	out := make([]int, len(y))
	for i := range y {
		out[i] = fold[g.of(i)]
	}
	return out, nil
}

// grouped is rows by their groups.
type grouped struct {
	groups  []int   // nil: every row by itself
	byClass [][]int // each group once, in its first row's class, in the order of the rows
}

func groupRows(y []int, classes int, groups []int) (grouped, error) {
	if groups != nil && len(groups) != len(y) {
		return grouped{}, fmt.Errorf("%d group numbers, want %d", len(groups), len(y))
	}
	g := grouped{groups, make([][]int, classes)}
	seen := make(map[int]bool, len(y))
	for i, k := range y {
		if one := g.of(i); !seen[one] {
			seen[one] = true
			g.byClass[k] = append(g.byClass[k], one)
		}
	}
	return g, nil
}

// of is the group of row i.
func (g grouped) of(i int) int {
	if g.groups == nil {
		return i
	}
	return g.groups[i]
}

// shuffle draws an order of each class's groups.
func (g grouped) shuffle(seed, stream uint64) {
	r := rand.New(rand.NewPCG(seed, stream))
	for _, gs := range g.byClass {
		r.Shuffle(len(gs), func(i, j int) { gs[i], gs[j] = gs[j], gs[i] })
	}
}
