package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// folderSplits is the order of a folder's splits.
var folderSplits = []string{Train, Val, Test, PublicTest, PrivateTest}

// imageFile is an image of a split and class.
type imageFile struct {
	entry
	split, class string // split "" where there is none; class as the folder is named, "" where there is none
	number       uint64 // Kaggle: the number in the file's name
	id           string // path below the folder that holds the splits or classes
}

// layout is a tree understood: its images and its class folders.
type layout struct {
	images []imageFile
	empty  []imageFile    // class folders without images, of split and class
	stray  int            // image files elsewhere
	shape  string         // of where images should lie
	others map[string]int // files in class folders that are no images by their name, by its ending
}

// maxWrappers is how deep below the root split folders are looked for.
const maxWrappers = 3

// findLayout looks for split folders at the root, or below wrapping folders, as archives
// have them; else for class folders; else for images alone. stem is what the tree is
// called.
func findLayout(list []entry, stem string) (layout, error) {
	root := nest(list)
	level := []*folder{root}
	var bare []*folder // of splits that hold images without classes
	for range maxWrappers + 1 {
		var found, next []*folder
		for _, f := range level {
			splits := f.splits()
			switch {
			case len(splits) == 0 || f != root && !f.wraps(splits) && 2*f.total < root.total:
			case classed(splits):
				found = append(found, f)
			case len(bare) == 0 || above(bare[0].path) == above(f.path):
				bare = append(bare, f)
			}
			next = append(next, f.dirs...)
		}
		if len(found) > 1 {
			return layout{}, fmt.Errorf("%d data sets side by side (%s, %s, …); give one of them", len(found), found[0].path, found[1].path)
		}
		if len(found) == 1 {
			return readSplits(root, found[0])
		}
		level = next
	}
	if len(bare) == 1 && bare[0].total == root.total {
		return readSplits(root, bare[0])
	}
	return readClasses(root, stem), nil
}

// readSplits sorts the images of the splits in f: the first folder in a split is the
// class, whatever lies deeper.
func readSplits(root, f *folder) (layout, error) {
	l := layout{shape: "{train,val,test}/<class>/", others: map[string]int{}}
	splits := f.splits()
	inClasses := classed(splits)
	named := map[string]string{} // split → the folder's own name
	for i, s := range splits {
		if other, seen := named[s.split]; seen {
			return l, fmt.Errorf("folders %s and %s are both split %s", other, s.path, s.split)
		}
		named[s.split] = s.path
		splits[i].folder = s.unwrapped()
	}
	for _, s := range splits {
		if !inClasses {
			l.add(f, s.folder, s.split, "")
		}
		for _, class := range s.dirs {
			if inClasses {
				l.add(f, class, s.split, class.name())
			}
		}
	}
	l.stray = root.total - len(l.images)
	return l, nil
}

// readClasses sorts the images of class folders without splits, or of none.
func readClasses(root *folder, stem string) layout {
	l := layout{shape: "<class>/", others: map[string]int{}}
	f := root
	classes := f.holding()
	for len(f.images) == 0 && len(classes) == 1 && (len(classes[0].dirs) > 0 || classes[0].saysNothing() || classes[0].name() == stem) {
		f = classes[0]
		classes = f.holding()
	}
	if len(classes) == 0 || len(f.images) > 0 && (len(classes) == 1 || 2*len(f.images) > f.total) {
		classes = nil
		l.add(f, f, "", "")
	}
	inClasses := !slices.ContainsFunc(classes, func(c *folder) bool { return !c.wraps(c.splits()) })
	for _, c := range classes {
		if !inClasses {
			l.add(f, c, "", c.name())
			continue
		}
		for _, s := range c.splits() { // <class>/<split>/
			l.add(f, s.folder, s.split, c.name())
		}
	}
	l.stray = root.total - len(l.images)
	return l
}

// add takes all images in a folder and below for a class; root is what their paths are
// seen from.
func (l *layout) add(root, in *folder, split, class string) {
	if in.total == 0 && class != "" {
		l.empty = append(l.empty, imageFile{split: split, class: class, id: strings.TrimPrefix(in.path, root.path+"/")})
	}
	in.walk(func(f *folder) {
		for _, ext := range f.others {
			l.others[ext]++
		}
		for _, e := range f.images {
			id := strings.TrimPrefix(e.name, root.path+"/")
			l.images = append(l.images, imageFile{entry: e, split: split, class: class, id: id})
		}
	})
}
