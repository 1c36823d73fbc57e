package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/internal/columns"
	"graft/internal/plural"
)

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) error {
	head := columns.New(w, 2)
	fmt.Fprintf(head, "%s (%s): %s, %d distinct, %d when near duplicates count as one\n\n", r.Data, r.Kind, plural.Of(r.Images, "image"), r.Distinct, r.Groups)
	if err := cmp.Or(head.Flush(), r.writeClasses(w)); err != nil {
		return err
	}
	t := columns.New(w, 2)
	r.writeCopies(t)
	fmt.Fprintln(t)
	c := r.Conflicts
	fmt.Fprintf(t, "contradicting labels\t%s of equal images, %d more of near duplicates\n", plural.Of(c.Equal, "set"), c.Near)
	fmt.Fprintf(t, "one value throughout\t%s\n", plural.Of(r.Constant, "image"))
	fmt.Fprintf(t, "a side below %d pixels\t%s\n", r.TinyBelow, plural.Of(r.Tiny, "image"))
	fmt.Fprintf(t, "cut short\t%s\n", plural.Of(r.Cut, "file"))
	fmt.Fprintf(t, "not to be read\t%s\n", plural.Of(r.Undecodable, "image"))
	r.writeFeatures(t)
	if err := t.Flush(); err != nil {
		return err
	}
	return r.writeFiles(w)
}

// writeFeatures prints what the features told.
func (r *Report) writeFeatures(t io.Writer) {
	if f := r.Features; f != nil {
		fmt.Fprintf(t, "\nby %s of %s:\n", strings.Join(f.Taps, ", "), f.Store)
	}
	if d := r.Labels; d != nil {
		fmt.Fprintf(t, "labels probably wrong\t%s\n", r.bySplit(d.Suspected))
		var pairs []string
		for _, c := range d.Confused[:min(3, len(d.Confused))] {
			pairs = append(pairs, fmt.Sprintf("%s and %s (%.1f%%)", c.Class, c.Other, 100*c.Share))
		}
		fmt.Fprintf(t, "classes most confused\t%s\n", strings.Join(pairs, ", "))
		fmt.Fprintf(t, "\t(out of fold %.1f%% of train's labels are predicted: the fewer, the more are suspected wrongly)\n", 100*d.Accuracy)
	}
	if o := r.Outliers; o != nil {
		fmt.Fprintf(t, "far from all others\t%s\n", r.bySplit(o.Count))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(t, "%s\n", note)
	}
}

// bySplit lists counts of rows.
func (r *Report) bySplit(counts map[string]int) string {
	var words []string
	for _, s := range r.SplitNames {
		if r.Splits[s].Total > 0 {
			words = append(words, fmt.Sprintf("%d of %s", counts[s], s))
		}
	}
	return strings.Join(words, ", ")
}

// mostClasses is how many classes are listed on a terminal.
const mostClasses = 20

// writeClasses prints the table of splits and classes, of many classes the rarest in train.
func (r *Report) writeClasses(w io.Writer) error {
	t := columns.NewRight(w, 2)
	fmt.Fprintf(t, "class\t%s\t\n", strings.Join(r.SplitNames, "\t"))
	line := func(name string, of func(Split) int) {
		fmt.Fprintf(t, "%s\t", name)
		for _, s := range r.SplitNames {
			fmt.Fprintf(t, "%d\t", of(r.Splits[s]))
		}
		fmt.Fprintln(t)
	}
	shown := r.Classes
	if len(shown) > mostClasses && len(r.SplitNames) > 0 {
		first := r.Splits[r.SplitNames[0]].Classes
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b string) int { return first[a] - first[b] })
		shown = shown[:mostClasses]
	}
	for _, class := range shown {
		line(class, func(s Split) int { return s.Classes[class] })
	}
	line("all", func(s Split) int { return s.Total })
	if err := t.Flush(); err != nil {
		return err
	}
	if len(shown) < len(r.Classes) {
		fmt.Fprintf(w, "(the %d rarest of %d classes in %s)\n", len(shown), len(r.Classes), r.SplitNames[0])
	}
	_, err := fmt.Fprintln(w)
	return err
}

// writeCopies prints what is in two splits, and what repeats itself within one.
func (r *Report) writeCopies(t io.Writer) {
	named := ""
	if slices.ContainsFunc(r.Leaks, func(l Leak) bool { return l.Named > 0 }) {
		named = "\tof groups there"
	}
	fmt.Fprintf(t, "rows\tequal\tother label\tnear too\tof all%s\n", named)
	for _, l := range r.Leaks {
		fmt.Fprintf(t, "%s, in %s too\t%d\t%d\t%d\t%.1f%% of %d", l.Split, l.Of, l.Equal, l.OtherLabel, l.All, percent(l.All, l.Total), l.Total)
		if named != "" {
			fmt.Fprintf(t, "\t%d more", l.Named)
		}
		fmt.Fprintln(t)
	}
	for _, name := range r.SplitNames {
		if s := r.Splits[name]; s.Total > 0 {
			again := s.Redundant
			all := again.Equal + again.Near
			fmt.Fprintf(t, "repeated in %s\t%d\t\t%d\t%.1f%% of %d\n", name, again.Equal, all, percent(all, s.Total), s.Total)
		}
	}
}

// writeFiles says where the rows are.
func (r *Report) writeFiles(w io.Writer) error {
	var names []string
	for _, f := range r.Findings {
		if f.Rows > 0 {
			names = append(names, fmt.Sprintf("%s (%d)", f.Name, f.Rows))
		}
	}
	t := columns.New(w, 2)
	fmt.Fprintf(t, "\n%s holds %s and, as .csv and .parquet with their rows:\n  %s\n", r.base, reportFile, strings.Join(names, ", "))
	return t.Flush()
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
