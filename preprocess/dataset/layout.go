package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// splitWords are the folder names of splits, lower case.
var splitWords = map[string]string{
	"train": Train, "training": Train,
	"val": Val, "valid": Val, "validation": Val,
	"test": Test, "testing": Test,
}

// folderSplits is the order of a generic folder's splits.
var folderSplits = []string{Train, Val, Test}

// imageFile is a member at <split>/<class>/<file>.
type imageFile struct {
	entry
	split, class string // split in the words of folderSplits; class as the folder is named
	number       uint64 // Kaggle: the number in the file's name
	id           string // path below the folder that holds the splits
}

// layout is a tree understood: its images and its class folders.
type layout struct {
	images []imageFile
	folder map[string]int // images by class folder, split/class
	stray  int            // image files elsewhere
	others map[string]int // files in class folders that are no images by their name, by its ending
}

// findLayout looks for split folders at the root, or below one or two wrapping
// folders, as archives have them.
func findLayout(list []entry) (layout, error) {
	for depth := range maxDepth - 1 {
		roots := map[string]bool{}
		for _, e := range list {
			if root, _, ok := cutSplit(e.name, depth); ok && (e.dir || strings.Count(e.name, "/") > depth) {
				roots[root] = true
			}
		}
		if len(roots) > 1 {
			names := slices.Sorted(maps.Keys(roots))
			return layout{}, fmt.Errorf("%d data sets side by side (%s, %s, …); give one of them", len(names), names[0], names[1])
		}
		for root := range roots {
			return readLayout(list, root, depth)
		}
	}
	return layout{}, fmt.Errorf("no folder train, val or test; wanted {train,val,test}/<class>/<image>")
}

// cutSplit splits name into what is before component depth and that component's
// split.
func cutSplit(name string, depth int) (root, split string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) <= depth || isHidden(name) {
		return "", "", false
	}
	split, ok = splitWords[strings.ToLower(parts[depth])]
	return strings.Join(parts[:depth], "/"), split, ok
}

// readLayout sorts the entries below root.
func readLayout(list []entry, root string, depth int) (layout, error) {
	l := layout{folder: map[string]int{}, others: map[string]int{}}
	named := map[string]string{} // split → the folder's own name
	for _, e := range list {
		r, split, ok := cutSplit(e.name, depth)
		if !ok || r != root {
			if !e.dir && isImage(e.name) {
				l.stray++
			}
			continue
		}
		parts := strings.Split(e.name, "/")[depth:]
		if other, seen := named[split]; seen && other != parts[0] {
			return l, fmt.Errorf("folders %s and %s are both split %s", other, parts[0], split)
		}
		named[split] = parts[0]
		switch {
		case e.dir && len(parts) == 2:
			l.folder[path.Join(parts...)] += 0
		case !e.dir && len(parts) == 3:
			if folder := path.Join(parts[:2]...); isImage(e.name) {
				l.folder[folder]++
				id := strings.TrimPrefix(strings.TrimPrefix(e.name, root), "/")
				l.images = append(l.images, imageFile{entry: e, split: split, class: parts[1], id: id})
			} else {
				l.folder[folder] += 0
				l.others[strings.ToLower(path.Ext(e.name))]++
			}
		case !e.dir && isImage(e.name):
			l.stray++
		}
	}
	return l, nil
}

// kaggleName is how Kaggle's FER2013 folders name images: usage and number.
var kaggleName = regexp.MustCompile(`^(Training|PublicTest|PrivateTest)_([0-9]{1,18})\.[A-Za-z]+$`)

// isKaggle tells FER2013 as image folders: the class folders bear FER2013's
// names and files are named after the CSV's usages.
func (l layout) isKaggle() bool {
	named := false
	for _, im := range l.images {
		if ferLabel(im.class) < 0 {
			return false
		}
		named = named || kaggleName.MatchString(path.Base(im.name))
	}
	return named
}

// kaggle turns a layout into FER2013: the split comes from the file's name, the
// order from the number in it, which is the CSV's row where Convert wrote it.
func (d *Dataset) kaggle(l layout) ([]imageFile, error) {
	d.Kind, d.Classes, d.Splits, d.published = "fer2013-folder", FERClasses, FERSplits, ferCounts
	var images []imageFile
	for _, im := range l.images {
		m := kaggleName.FindStringSubmatch(path.Base(im.name))
		if m == nil {
			if err := d.bad(d.Path, im.name, "file name begins with none of "+strings.Join(ferUsages, "_, ")+"_ and a number"); err != nil {
				return nil, err
			}
			continue
		}
		im.split = FERSplits[slices.Index(ferUsages, m[1])]
		im.number, _ = strconv.ParseUint(m[2], 10, 64) // 18 digits fit
		images = append(images, im)
	}
	slices.SortFunc(images, func(a, b imageFile) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.id, b.id))
	})
	for _, im := range images {
		d.Samples = append(d.Samples, Sample{ID: im.id, Split: im.split, Label: ferLabel(im.class)})
	}
	d.rows, d.total = rowNumbers(images)
	return images, nil
}

// rowNumbers are the images' numbers if these count rows from 0 without
// doubles, else nil: Kaggle's own numbers tell nothing about rows.
func rowNumbers(images []imageFile) (rows []int, total int) {
	for i, im := range images {
		if im.number >= uint64(2*len(images)) || i > 0 && im.number == images[i-1].number {
			return nil, 0
		}
		rows = append(rows, int(im.number))
		total = int(im.number) + 1
	}
	return rows, total
}

// generic turns a layout into a set of its own: classes sorted by name, images
// by split, class and file name.
func (d *Dataset) generic(l layout) []imageFile {
	d.Kind = "folder"
	classes, splits := map[string]bool{}, map[string]bool{}
	for _, im := range l.images {
		classes[im.class], splits[im.split] = true, true
	}
	d.Classes = slices.Sorted(maps.Keys(classes))
	for _, s := range folderSplits {
		if splits[s] {
			d.Splits = append(d.Splits, s)
		}
	}
	slices.SortFunc(l.images, func(a, b imageFile) int {
		return cmp.Or(
			cmp.Compare(slices.Index(folderSplits, a.split), slices.Index(folderSplits, b.split)),
			cmp.Compare(a.class, b.class),
			cmp.Compare(a.id, b.id))
	})
	for _, im := range l.images {
		label, _ := slices.BinarySearch(d.Classes, im.class)
		d.Samples = append(d.Samples, Sample{ID: im.id, Split: im.split, Label: label})
	}
	for _, c := range d.Classes {
		if splits[Train] && !slices.ContainsFunc(l.images, func(im imageFile) bool { return im.class == c && im.split == Train }) {
			d.warn("%s: class %s has no training images", d.Path, c)
		}
	}
	return l.images
}
