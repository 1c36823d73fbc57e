// Package taps knows the words by which the features of a backbone are asked
// for, and which are taken where nobody asks. A tap is a place in the network: cls
// and mean after the final norm, pool, dist and proj where there are such, cls_k
// and mean_k after block k. Cuts (Cut) are taken only where they are named.
package taps

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown says that somebody asked for a tap that is not there.
var ErrUnknown = errors.New("has no tap")

// Resolve turns words into names of the known taps of a thing, a backbone or a store:
// each word may be a tap, several separated by commas, or all, which are those that are
// no cuts. The order is the words', a tap asked for twice comes once, and no words at
// all mean what usual picks of those.
func Resolve(thing string, known, words []string, usual func(known []string) []string) ([]string, error) {
	var out []string
	plain := slices.DeleteFunc(slices.Clone(known), Cut)
	for _, w := range Split(words) {
		switch {
		case w == "all":
			out = append(out, plain...)
		case slices.Contains(known, w):
			out = append(out, w)
		default:
			return nil, fmt.Errorf("%s %w %q; it has %s, or all", thing, ErrUnknown, w, strings.Join(known, ", "))
		}
	}
	switch {
	case len(out) == 0 && len(plain) == 0:
		return nil, fmt.Errorf("%s has no other taps than %s, which have to be named", thing, strings.Join(known, ", "))
	case len(out) == 0:
		return usual(plain), nil
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(tap string) bool {
		again := seen[tap]
		seen[tap] = true
		return again
	}), nil
}

// All picks every tap.
func All(known []string) []string { return known }

// First picks the first tap: of graft's files cls, or pool where there is none.
func First(known []string) []string { return known[:1] }

// Deep picks all taps of a backbone's end, and those after half and three quarters
// of its blocks, where features are often better for images unlike those it was
// trained on.
func Deep(known []string) []string {
	depth := 0
	for _, t := range known {
		depth = max(depth, block(t))
	}
	var out []string
	for _, t := range known {
		if k := block(t); k == 0 || k == (depth+1)/2 || k == (3*depth+3)/4 && k < depth {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return block(a) - block(b) })
	return out
}

// Last picks cls (or, without a class token, pool) and mean after the final norm and
// cls (or mean) of the last four blocks, as far as there are such: six taps know
// more than one, and cost little beside the network itself.
func Last(known []string) []string {
	kind := "cls_"
	if !slices.Contains(known, "cls") {
		kind = "mean_"
	}
	var blocks, out []string
	for _, t := range known {
		switch {
		case t == "cls" || t == "mean" || t == "pool":
			out = append(out, t)
		case strings.HasPrefix(t, kind):
			blocks = append(blocks, t)
		}
	}
	if out = append(out, blocks[max(0, len(blocks)-4):]...); len(out) == 0 {
		return First(known)
	}
	return out
}

// block is the number in cls_9; taps of no block have 0.
func block(tap string) int {
	_, digits, _ := strings.Cut(tap, "_")
	k, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return k
}
