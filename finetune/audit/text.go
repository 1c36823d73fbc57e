package audit

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText prints the report for people.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s): %d images, %d distinct, %d when near duplicates count as one\n\n", r.Data, r.Kind, r.Images, r.Distinct, r.Groups)
	if err := r.writeClasses(w); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	r.writeCopies(t)
	fmt.Fprintln(t)
	c := r.Conflicts
	fmt.Fprintf(t, "contradicting labels\t%s of equal images, %d more of near duplicates\n", count(c.Equal, "set"), c.Near)
	fmt.Fprintf(t, "one value throughout\t%s\n", count(r.Constant, "image"))
	fmt.Fprintf(t, "a side below %d pixels\t%s\n", r.TinyBelow, count(r.Tiny, "image"))
	fmt.Fprintf(t, "cut short\t%s\n", count(r.Cut, "file"))
	fmt.Fprintf(t, "not to be read\t%s\n", count(r.Undecodable, "image"))
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
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
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
	for _, l := range r.Leaks {
		other := ""
		if l.OtherLabel > 0 {
			other = fmt.Sprintf(" (%d with another label there)", l.OtherLabel)
		}
		fmt.Fprintf(t, "%s rows in %s too\t%d equal%s, %d with near duplicates, %.1f%% of %d", l.Split, l.Of, l.Equal, other, l.All, percent(l.All, l.Total), l.Total)
		if l.Named > 0 {
			fmt.Fprintf(t, "; %d more of groups there", l.Named)
		}
		fmt.Fprintln(t)
	}
	for _, name := range r.SplitNames {
		if s := r.Splits[name]; s.Total > 0 {
			again := s.Redundant
			fmt.Fprintf(t, "repeated within %s\t%d equal, %d with near duplicates, %.1f%% of %d\n", name, again.Equal, again.Equal+again.Near, percent(again.Equal+again.Near, s.Total), s.Total)
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
	_, err := fmt.Fprintf(w, "\n%s holds %s and, as .csv and .parquet with their rows:\n%s\n", r.base, reportFile, wrap(names, 100))
	return err
}

// wrap joins words to lines of about so many letters.
func wrap(words []string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range words {
		switch {
		case i == 0:
			b.WriteString("  ")
		case at+len(word) > width:
			b.WriteString(",\n  ")
			at = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(word)
		at += len(word) + 2
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
