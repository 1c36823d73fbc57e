package dataset

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// unlabelled is the class of a set without labels.
const unlabelled = "unlabelled"

// sortClasses puts names in the one order of classes, whatever the form: by number where
// all are whole numbers, else by name.
func sortClasses(names []string) {
	compare := strings.Compare
	if !slices.ContainsFunc(names, func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err != nil }) {
		compare = func(a, b string) int {
			x, _ := strconv.ParseInt(a, 10, 64)
			y, _ := strconv.ParseInt(b, 10, 64)
			return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
		}
	}
	slices.SortFunc(names, compare)
}

// classSet gives the names of classes numbers in the order of their coming.
type classSet struct {
	at    map[string]int
	names []string
}

func (c *classSet) add(name string) int {
	i, known := c.at[name]
	if !known {
		if c.at == nil {
			c.at = map[string]int{}
		}
		i = len(c.names)
		c.at[name], c.names = i, append(c.names, name)
	}
	return i
}

// settle makes the classes d's: sorted, and the samples' labels, which are numbers of c,
// with them.
func (c *classSet) settle(d *Dataset) {
	d.Classes = slices.Clone(c.names)
	sortClasses(d.Classes)
	label := make([]int, len(c.names))
	for i, name := range d.Classes {
		label[c.at[name]] = i
	}
	for i := range d.Samples {
		d.Samples[i].Label = label[d.Samples[i].Label]
	}
}
