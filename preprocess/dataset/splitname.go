package dataset

import (
	"regexp"
	"slices"
	"strings"
)

// splitWords are the names of splits, lower case.
var splitWords = map[string]string{
	"train": Train, "training": Train, "trainset": Train, "trainingset": Train,
	"val": Val, "valid": Val, "validation": Val, "dev": Val, "valset": Val, "validationset": Val,
	"test": Test, "testing": Test, "testset": Test,
	"publictest": PublicTest, "privatetest": PrivateTest,
}

// setWords are what stands beside a split's name and says nothing.
var setWords = []string{"set", "data", "dataset", "image", "images", "img", "imgs", "photo", "photos", "split", "folder", "file", "files"}

// nameParts are the words and numbers in a name, "seg_train" and "ValidationSet" alike.
var nameParts = regexp.MustCompile(`\p{Lu}?[\p{Ll}]+|\p{Lu}+|[0-9]+`)

// splitOf is the split that a folder's or file's name tells, and what else stands in it:
// seg_train is train beside "seg". What is between says nothing, and neither do words
// such as images. Of a name with two splits or none there is none.
func splitOf(name string) (split, rest string, ok bool) {
	parts := nameParts.FindAllString(name, -1)
	for i := range parts {
		parts[i] = strings.ToLower(parts[i])
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return slices.Contains(setWords, p) })
	if split, ok = splitWords[strings.Join(parts, "")]; ok {
		return split, "", true
	}
	var others []string
	for i := 0; i < len(parts); i++ {
		found, is := "", false
		if i+1 < len(parts) {
			found, is = splitWords[parts[i]+parts[i+1]] // public test
		}
		if is {
			i++
		} else if found, is = splitWords[parts[i]]; !is {
			others = append(others, parts[i])
			continue
		}
		if ok {
			return "", "", false
		}
		split, ok = found, true
	}
	return split, strings.Join(others, " "), ok
}
