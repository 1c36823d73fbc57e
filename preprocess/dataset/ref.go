package dataset

import (
	"os"
	"path/filepath"
	"strings"
)

// Ref names a data set, and says how it is opened. But for Path the zero value is
// strict.
type Ref struct {
	Path     string `json:"path,omitempty"`
	FERPlus  string `json:"ferplus,omitempty"`   // path of FER+'s fer2013new.csv, whose row i belongs to row i of fer2013.csv
	Seed     uint64 `json:"seed,omitempty"`      // of a synthetic set
	PerClass int    `json:"per_class,omitempty"` // synthetic training images a class; 0 means DefaultPerClass
	SkipBad  bool   `json:"skip_bad,omitempty"`  // list bad rows and images in Bad and leave them out instead of failing
	// GroupBy names the user's own groups, such as persons or films: a column of a list
	// with a header, or a regular expression with one group in parentheses, which is
	// looked for in the images' IDs.
	GroupBy string `json:"group_by,omitempty"`
	// SplitShares of a set without splits are those of train, val and test, "" for
	// DefaultShares: a hash of SplitSeed and of each image, or of its group, decides.
	// SplitRecord is a file that keeps which image went where, see followRecord.
	SplitShares string `json:"split_shares,omitempty"`
	SplitSeed   uint64 `json:"split_seed,omitempty"`
	SplitRecord string `json:"split_record,omitempty"`

	// Unsplit leaves a set without splits whole, as train: nothing is trained on it, and none of it is decoded at Open.
	Unsplit bool `json:"-"`
	// SkipUnknown leaves out samples of classes that a model does not know where the set is judged by one, see As.
	SkipUnknown bool `json:"-"`
	Verify      bool `json:"-"` // decode every image file at Open; CSV files are always checked whole
}

// cut splits Path into the word before it, which decides the form, and the file or
// folder. A synthetic set is a word alone.
func (r Ref) cut() (word, file string) {
	if r.Drawn() {
		return r.Path, ""
	}
	if list, ok := strings.CutPrefix(r.Path, ListPrefix); ok {
		return ListPrefix, list
	}
	return "", r.Path
}

// Worded tells paths that are no file's or folder's, but a word for a set or before it.
func Worded(path string) bool {
	return Ref{Path: path}.Drawn() || strings.HasPrefix(path, ListPrefix)
}

// Drawn tells the synthetic sets, the only ones that heed Seed and PerClass.
func (r Ref) Drawn() bool {
	_, ok := drawnSets[r.Path]
	return ok
}

// Name is what Path would be beside the set.
func (r Ref) Name() string {
	word, file := r.cut()
	if file == "" {
		return word
	}
	return word + filepath.Base(file)
}

// Exists tells whether something lies where Path says.
func (r Ref) Exists() bool {
	_, file := r.cut()
	_, err := os.Stat(file)
	return err == nil || r.Drawn()
}

// Recorded is what outlives the working folder: paths from the root, and only what
// the set depends on.
func (r Ref) Recorded() Ref {
	word, file := r.cut()
	if file != "" {
		r.Seed, r.PerClass = 0, 0
		if abs, err := filepath.Abs(file); err == nil {
			r.Path = word + abs
		}
	}
	for _, file := range []*string{&r.FERPlus, &r.SplitRecord} {
		if abs, err := filepath.Abs(*file); err == nil && *file != "" {
			*file = abs
		}
	}
	return r
}
