package dataset

import (
	"path"
	"slices"
	"strings"
)

// folder is a folder of a tree.
type folder struct {
	path   string // from the tree's root
	dirs   []*folder
	images []entry  // right in it
	others []string // endings of the other files right in it
	total  int      // images in it and below
	files  int      // images and others
}

func (f *folder) name() string { return path.Base(f.path) }

// nest makes folders of a list; hidden ones are none.
func nest(list []entry) *folder {
	all := map[string]*folder{"": {}}
	var at func(dir string) *folder
	at = func(dir string) *folder {
		if f, known := all[dir]; known {
			return f
		}
		f := &folder{path: dir}
		all[dir] = f
		up := at(above(dir))
		up.dirs = append(up.dirs, f)
		return f
	}
	for _, e := range list {
		switch {
		case isHidden(e.name):
		case e.dir:
			at(e.name)
		case isImage(e.name):
			f := at(above(e.name))
			f.images = append(f.images, e)
		default:
			f := at(above(e.name))
			f.others = append(f.others, strings.ToLower(path.Ext(e.name)))
		}
	}
	all[""].count()
	return all[""]
}

// above is the folder of a name, "" for the root.
func above(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

func (f *folder) count() {
	slices.SortFunc(f.dirs, func(a, b *folder) int { return strings.Compare(a.path, b.path) })
	f.total, f.files = len(f.images), len(f.images)+len(f.others)
	for _, d := range f.dirs {
		d.count()
		f.total, f.files = f.total+d.total, f.files+d.files
	}
}

// walk visits a folder and those below.
func (f *folder) walk(visit func(*folder)) {
	visit(f)
	for _, d := range f.dirs {
		d.walk(visit)
	}
}

// holding are the folders in f that can be classes: with images, or with nothing at all.
func (f *folder) holding() (dirs []*folder) {
	for _, d := range f.dirs {
		if d.total > 0 || d.files == 0 {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// saysNothing tells names such as images, which are no class's.
func (f *folder) saysNothing() bool {
	parts := nameParts.FindAllString(f.name(), -1)
	return len(parts) > 0 && !slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(setWords, strings.ToLower(p)) })
}

// splitFolder is a folder whose name tells a split.
type splitFolder struct {
	*folder
	split string
}

// splits are the folders in f that are splits: those that are called so, or several whose
// names differ in the split alone (seg_train, seg_test). None of them are where there is
// no folder in any, but images elsewhere: of car, bus and train, train is a class.
func (f *folder) splits() []splitFolder {
	byRest := map[string][]splitFolder{}
	elsewhere := f.total
	for _, d := range f.dirs {
		split, rest, ok := splitOf(d.name())
		if !ok || d.total == 0 && d.files > 0 {
			continue
		}
		byRest[rest] = append(byRest[rest], splitFolder{d, split})
	}
	for rest, list := range byRest {
		several := slices.ContainsFunc(list, func(s splitFolder) bool { return s.split != list[0].split })
		if _, exact := byRest[""]; exact && rest != "" || rest != "" && !several {
			delete(byRest, rest)
			continue
		}
		for _, s := range list {
			elsewhere -= s.total
		}
	}
	for _, list := range byRest {
		if len(byRest) == 1 && (classed(list) || elsewhere == 0) {
			return list
		}
	}
	return nil
}

// wraps tells that f holds no images but those of its splits.
func (f *folder) wraps(splits []splitFolder) bool {
	within := 0
	for _, s := range splits {
		within += s.total
	}
	return within == f.total && within > 0
}

// classed tells that some of the splits hold folders.
func classed(splits []splitFolder) bool {
	return slices.ContainsFunc(splits, func(s splitFolder) bool { return len(s.unwrapped().holding()) > 0 })
}

// unwrapped is the folder of a split's classes: below others with its own name, or with
// names that say nothing, which hold all that there is.
func (s splitFolder) unwrapped() *folder {
	f := s.folder
	for len(f.images) == 0 {
		dirs := f.holding()
		if len(dirs) != 1 {
			break
		}
		split, rest, ok := splitOf(dirs[0].name())
		if !(ok && split == s.split && rest == "") && dirs[0].name() != s.name() && !dirs[0].saysNothing() {
			break
		}
		f = dirs[0]
	}
	return f
}
