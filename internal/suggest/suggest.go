// Package suggest finds the word that was probably meant.
package suggest

import (
	"fmt"
	"strings"

	"github.com/xrash/smetrics"
)

// Words this much alike, of 1, are taken for each other. The others are what the
// metric's author found: how alike words must be for a common start to count,
// and how many letters of that do.
const (
	alike     = 0.85
	boostFrom = 0.7
	prefix    = 4
)

// DidYouMean is "; did you mean head?" about the known word that is most like the
// given one by Jaro and Winkler, dashes in front aside, or "" where none is.
func DidYouMean(word string, known []string) string {
	best, nearest := alike, ""
	for _, k := range known {
		if s := smetrics.JaroWinkler(strings.TrimLeft(word, "-"), strings.TrimLeft(k, "-"), boostFrom, prefix); s > best {
			best, nearest = s, k
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", nearest)
}
