// Package plural counts things in words.
package plural

import (
	"strconv"
	"strings"
)

// Of is a number of things that are called noun in the singular: "1 row", "2 rows", "0 entries".
func Of[N ~int | ~int64](n N, noun string) string {
	return strconv.FormatInt(int64(n), 10) + " " + Noun(n, noun)
}

// Noun is the noun alone, in the number that n things want.
func Noun[N ~int | ~int64](n N, noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case n == 1:
		return noun
	case y && stem != "" && !strings.ContainsAny(stem[len(stem)-1:], "aeo"):
		return stem + "ies"
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"):
		return noun + "es"
	}
	return noun + "s"
}
