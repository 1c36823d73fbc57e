package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"graft/internal/plural"
)

// FER2013 is 48×48 gray faces.
const (
	ferSide   = 48
	ferPixels = ferSide * ferSide
)

// FERClasses are FER2013's classes in the order of its labels 0 to 6.
var FERClasses = []string{"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}

// FERSplits are FER2013's splits in the order of its rows.
var FERSplits = []string{Train, PublicTest, PrivateTest}

// ferUsages are the words of the CSV's Usage column and the starts of Kaggle's
// file names, in the order of FERSplits.
var ferUsages = []string{"Training", "PublicTest", "PrivateTest"}

// ferCounts are the published sizes of the splits (Goodfellow et al. 2013,
// "Challenges in representation learning", table of the contest's data).
var ferCounts = []int{28709, 3589, 3589}

// ferSynonyms are other names of the classes' folders, lower case.
var ferSynonyms = map[string]string{
	"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy",
	"sadness": "sad", "surprised": "surprise",
}

// ferLabel is the label of a class folder's name in any case, or -1.
func ferLabel(name string) int {
	name = strings.ToLower(name)
	return slices.Index(FERClasses, cmp.Or(ferSynonyms[name], name))
}

// warnCounts tells of splits of FER2013 whose size is not as published.
func (d *Dataset) warnCounts() {
	have := map[string]int{}
	for _, s := range d.Samples {
		have[s.Split]++
	}
	for i, want := range d.published {
		if s := d.Splits[i]; have[s] != want {
			d.warn("%s: split %s holds %s; FER2013 has %d", d.Path, s, plural.Of(have[s], "image"), want)
		}
	}
}

func (d *Dataset) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// ferSplit is the index of a split's name, or -1.
func ferSplit(name string) int { return slices.Index(FERSplits, name) }
