package dataset

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A lineError is a fault of one line, which may be left out.
type lineError string

func (e lineError) Error() string { return string(e) }

// splitLine appends the fields of a CSV line to fields, cut out of line as by
// cutField.
func splitLine(line []byte, fields [][]byte) ([][]byte, error) {
	for more := true; more; {
		var field []byte
		var err error
		if field, line, more, err = cutField(line); err != nil {
			return fields, err
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// splitList is splitLine with what a list has between its fields: tabs, where there are
// any; else commas; else blanks behind the first blank that an image's name ends at, since a path
// may have blanks of its own.
func splitList(line []byte, fields [][]byte) ([][]byte, error) {
	switch {
	case bytes.IndexByte(line, '\t') >= 0:
		return append(fields, bytes.Split(line, []byte{'\t'})...), nil
	case bytes.IndexByte(line, ',') >= 0 || bytes.IndexByte(line, '"') >= 0:
		return splitLine(line, fields)
	}
	for at, b := range line {
		if b == ' ' && isImage(string(line[:at])) {
			return append(append(fields, line[:at]), bytes.Fields(line[at:])...), nil
		}
	}
	if words := bytes.Fields(line); len(words) > 1 && isListColumn(words[0]) && isListColumn(words[1]) {
		return append(fields, words...), nil
	}
	return append(fields, line), nil
}

func isListColumn(word []byte) bool {
	return slices.Contains(listColumns, strings.ToLower(string(word)))
}

// listColumns are a header's names, in the order of a list without one.
var listColumns = []string{"path", "label", "split"}

// start learns the columns from the first line, a header or an image.
func (l *listReader) start() (header bool, err error) {
	names := make([]string, len(l.fields))
	for i, f := range l.fields {
		names[i] = strings.ToLower(string(bytes.TrimSpace(f)))
	}
	// Without a path it is a header all the same, and wrong: taken for an image it
	// would bring in a class named label.
	header = slices.Contains(names, listColumns[0]) || len(names) > 1 && names[1] == listColumns[1]
	if !header {
		names = listColumns[:min(len(l.fields), len(listColumns))]
	}
	wanted := append(slices.Clone(listColumns), l.groupBy)
	l.columns = []int{-1, -1, -1, -1}
	for i, name := range names {
		c := slices.Index(wanted, name)
		if c < 0 || name == "" || l.columns[c] >= 0 {
			return header, fmt.Errorf("header %q: want %s, each once", name, strings.Join(slices.DeleteFunc(wanted, func(s string) bool { return s == "" }), ", "))
		}
		l.columns[c] = i
	}
	if l.groupBy != "" && l.columns[3] < 0 {
		return header, fmt.Errorf("no column %q to group by; a list's columns are named by its first line, here %s", l.groupBy, strings.Join(names, ", "))
	}
	return header, nil
}

// add makes a sample of the fields.
func (l *listReader) add() error {
	width := 0
	for _, c := range l.columns {
		width = max(width, c+1)
	}
	if len(l.fields) != width {
		return lineError(fmt.Sprintf("%d fields, wanted %d as in the first line (a path with a comma goes in quotation marks)", len(l.fields), width))
	}
	path := l.fields[l.columns[0]]
	switch {
	case len(path) == 0:
		return lineError("path is empty")
	case !utf8.Valid(path) || bytes.ContainsFunc(path, unicode.IsControl):
		return lineError("path is not printable UTF-8 text")
	}
	label, err := l.label(l.column(1, unlabelled))
	if err != nil {
		return err
	}
	split, err := l.split(l.column(2, folderSplits[0]))
	if err != nil {
		return err
	}
	l.d.Samples = append(l.d.Samples, Sample{ID: l.ids.keep(path), Split: split, Label: label})
	if l.columns[3] >= 0 {
		l.d.groups = append(l.d.groups, l.group())
	}
	return nil
}

// group is the name in the column to group by.
func (l *listReader) group() string {
	name := l.column(3, "")
	if g, known := l.groups[string(name)]; known {
		return g
	}
	l.groups[string(name)] = string(name)
	return l.groups[string(name)]
}

// column is field c, or what stands for it in a list without that column.
func (l *listReader) column(c int, without string) []byte {
	if l.columns[c] < 0 {
		return []byte(without)
	}
	return bytes.TrimSpace(l.fields[l.columns[c]])
}

// maxLabel bounds a label's bytes.
const maxLabel = 256

// labelFault is what keeps text from being a label, "" for nothing.
func labelFault(name string) string {
	switch {
	case name == "":
		return "is empty, and others are not"
	case len(name) > maxLabel || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Sprintf("is not printable UTF-8 text of at most %d bytes", maxLabel)
	}
	return ""
}

func (l *listReader) label(name []byte) (int, error) {
	if i, known := l.classes.at[string(name)]; known {
		return i, nil
	}
	switch {
	case labelFault(string(name)) != "":
		return 0, lineError("label " + labelFault(string(name)))
	case len(l.classes.names) == maxListClasses:
		return 0, fmt.Errorf("more than %d labels; is the second column the label?", maxListClasses)
	}
	return l.classes.add(string(name)), nil
}

// splitName is what may be part of a file's name everywhere.
var splitName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *listReader) split(name []byte) (string, error) {
	if s, known := l.splits[string(name)]; known {
		return s, nil
	}
	called := cmp.Or(splitWords[strings.ToLower(string(name))], string(name))
	switch {
	case !splitName.MatchString(called):
		return "", lineError(fmt.Sprintf("split %q: want letters, digits, dots, dashes and underscores", called))
	case len(l.splits) == maxListSplits:
		return "", errors.New("too many splits; is the third column the split?")
	}
	l.splits[string(name)] = called
	if !slices.Contains(l.d.Splits, called) {
		l.d.Splits = append(l.d.Splits, called)
	}
	return called, nil
}
