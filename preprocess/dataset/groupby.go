package dataset

import (
	"fmt"
	"regexp"
	"strings"
)

// Grouper finds an image's group in its ID: nil where by, a Ref.GroupBy, is no
// pattern but the name of a column, or empty. A pattern has the one group in
// parentheses whose text names the image's; an ID without one is an error.
func Grouper(by string) (func(id string) (string, error), error) {
	if !strings.Contains(by, "(") {
		return nil, nil
	}
	p, err := regexp.Compile(by)
	if err == nil && p.NumSubexp() != 1 {
		err = fmt.Errorf("%d groups in parentheses, want one: the text that names an image's group", p.NumSubexp())
	}
	if err != nil {
		return nil, fmt.Errorf("group by %q: %w", by, err)
	}
	return func(id string) (string, error) {
		m := p.FindStringSubmatch(id)
		if m == nil || m[1] == "" {
			return "", fmt.Errorf("group by %q: no group in the name of image %q", by, id)
		}
		return m[1], nil
	}, nil
}

// nameGroups gives the samples the groups that a pattern finds in their IDs; those of
// a list's column are read with it.
func (d *Dataset) nameGroups(ref Ref) error {
	if ref.GroupBy == "" {
		return nil
	}
	group, err := Grouper(ref.GroupBy)
	if err != nil {
		return err
	}
	if _, list := d.form.(listForm); group == nil && !list {
		return fmt.Errorf("%s: group by %q: only a list has columns; of other sets give a pattern of the images' names with the group in parentheses, such as '^([^_]+)_'",
			d.Path, ref.GroupBy)
	}
	if group == nil {
		return nil
	}
	d.groups = make([]string, len(d.Samples))
	for i, s := range d.Samples {
		if d.groups[i], err = group(s.ID); err != nil {
			return fmt.Errorf("%s: %w", d.Path, err)
		}
	}
	return nil
}
