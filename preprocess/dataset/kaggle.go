package dataset

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"graft/internal/plural"
)

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

// ferFolders tells FER2013 with its splits as folders.
func (l layout) ferFolders() bool {
	usages := false
	for _, im := range l.images {
		if ferLabel(im.class) < 0 {
			return false
		}
		usages = usages || im.split == PublicTest || im.split == PrivateTest
	}
	return usages
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

// generic turns a layout into a set of its own: classes sorted by name, by number where all
// are numbers, images by split, class and file name. Without class folders it is a set
// without labels.
func (d *Dataset) generic(l layout) []imageFile {
	d.Kind = "folder"
	splits, classes := map[string]bool{}, map[string]int{}
	for _, im := range slices.Concat(l.images, l.empty) {
		splits[im.split] = true
		classes[cmp.Or(im.class, unlabelled)] = 0
	}
	d.Classes = slices.Collect(maps.Keys(classes))
	sortClasses(d.Classes)
	for i, c := range d.Classes {
		classes[c] = i
	}
	for _, s := range folderSplits {
		if splits[s] {
			d.Splits = append(d.Splits, s)
		}
	}
	if l.ferFolders() {
		d.Kind, d.Classes = "fer2013-folder", FERClasses
		for c := range classes {
			classes[c] = ferLabel(c)
		}
		if d.isFER() {
			d.Splits, d.published = FERSplits, ferCounts
		}
	}
	label := func(im imageFile) int { return classes[cmp.Or(im.class, unlabelled)] }
	slices.SortFunc(l.images, func(a, b imageFile) int {
		return cmp.Or(
			cmp.Compare(slices.Index(folderSplits, a.split), slices.Index(folderSplits, b.split)),
			cmp.Compare(label(a), label(b)),
			cmp.Compare(a.id, b.id))
	})
	for _, im := range l.images {
		d.Samples = append(d.Samples, Sample{ID: im.id, Split: im.split, Label: label(im)})
	}
	if slices.Equal(d.Classes, []string{unlabelled}) {
		d.warn("%s: no class folders: a set of %s without labels", d.Path, plural.Of(len(l.images), "image"))
	}
	return l.images
}
