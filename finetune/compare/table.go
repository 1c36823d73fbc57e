package compare

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"

	"graft/finetune/fit"
	"graft/finetune/metrics"
)

// table has a row of cells for each line, a column for each run.
type table struct {
	title string
	head  []string
	rows  [][]string
}

// tables are the tables of a comparison: what the models are, how they learned,
// how often they are right on each split, and which of two is better.
func tables(list []Comparison) []table {
	out := []table{modelTable(list)}
	if s := learningTable(list); len(s.rows) > 0 {
		out = append(out, s)
	}
	for _, split := range comparedSplits(list) {
		out = append(out, accuracyTable(list, split))
		if s := pairTable(list, split); len(s.rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// names heads the columns: the folders' own names where these tell them apart.
func names(list []Comparison) []string {
	out := []string{""}
	for _, c := range list {
		out = append(out, path.Base(c.Run))
	}
	for i, name := range out {
		if slices.Index(out, name) != i {
			return row("", list, func(c Comparison) string { return c.Run })
		}
	}
	return out
}

// row is a line with a cell for each run.
func row(name string, list []Comparison, cell func(Comparison) string) []string {
	out := []string{name}
	for _, c := range list {
		out = append(out, cell(c))
	}
	return out
}

func modelTable(list []Comparison) table {
	return table{"Models", names(list), [][]string{
		row("model", list, func(c Comparison) string { return c.Model }),
		row("parameters", list, func(c Comparison) string { return fmt.Sprint(c.Parameters) }),
		row("MACs", list, func(c Comparison) string { return fmt.Sprint(c.MACs) }),
		row("epochs", list, func(c Comparison) string { return ifTrained(c, fmt.Sprint(c.Epochs)) }),
		row("seconds per epoch", list, func(c Comparison) string { return ifTrained(c, fmt.Sprintf("%.2f", c.Seconds)) }),
	}}
}

// ifTrained is the cell of a run with a history, and "–" of an imported one.
func ifTrained(c Comparison, cell string) string {
	if len(c.History) == 0 && c.Epochs == 0 {
		return "–"
	}
	return cell
}

// learningTable has a line for each epoch: train loss, and validation loss where
// there is one.
func learningTable(list []Comparison) table {
	s := table{title: "Train loss / validation loss by epoch", head: names(list)}
	last := 0
	for _, c := range list {
		last = max(last, c.Epochs)
	}
	for number := range last + 1 {
		line := row(fmt.Sprint(number), list, func(c Comparison) string { return lossCell(c, number) })
		if slices.ContainsFunc(line[1:], func(cell string) bool { return cell != "" }) {
			s.rows = append(s.rows, line)
		}
	}
	return s
}

func lossCell(c Comparison, number int) string {
	at := slices.IndexFunc(c.History, func(e fit.Epoch) bool { return e.Number == number })
	if at < 0 {
		return ""
	}
	e := c.History[at]
	if e.ValidationLoss == nil {
		return fmt.Sprintf("%.4f", e.TrainLoss)
	}
	return fmt.Sprintf("%.4f / %.4f", e.TrainLoss, *e.ValidationLoss)
}

// comparedSplits lists the splits of all reports in order of appearance.
func comparedSplits(list []Comparison) []string {
	var out []string
	for _, c := range list {
		for _, r := range c.Reports {
			if !slices.Contains(out, r.Split) {
				out = append(out, r.Split)
			}
		}
	}
	return out
}

// accuracyTable has a line for each class of any run, and the overall figures.
func accuracyTable(list []Comparison, split string) table {
	s := table{title: "Accuracy on " + split, head: names(list)}
	add := func(name string, f figure) {
		s.rows = append(s.rows, row(name, list, func(c Comparison) string { return f.cell(c, split) }))
	}
	for _, class := range comparedClasses(list, split) {
		of := func(r metrics.Report) metrics.Class {
			at := slices.IndexFunc(r.Classes, func(c metrics.Class) bool { return c.Name == class })
			if at < 0 {
				return metrics.Class{Total: -1}
			}
			return r.Classes[at]
		}
		add(class, figure{func(r metrics.Report) string {
			c := of(r)
			if c.Total < 0 {
				return ""
			}
			return metrics.Share(c.Correct, c.Total)
		}, func(r metrics.Report) (float64, bool) { c := of(r); return c.Recall, c.Total > 0 }, percents})
	}
	add("overall", figure{func(r metrics.Report) string { return metrics.Share(r.Correct, r.Total) },
		func(r metrics.Report) (float64, bool) { return r.Accuracy, true }, percents})
	add("95% interval", figure{text: func(r metrics.Report) string {
		return fmt.Sprintf("%.1f–%.1f%%", 100*r.Interval[0], 100*r.Interval[1])
	}})
	if slices.ContainsFunc(list, func(c Comparison) bool {
		return slices.ContainsFunc(c.of(split), func(r metrics.Report) bool { return r.Clean != nil })
	}) {
		add("overall, clean", figure{metrics.Report.CleanText, func(r metrics.Report) (float64, bool) {
			if r.Clean == nil || r.Clean.Accuracy == nil {
				return 0, false
			}
			return *r.Clean.Accuracy, true
		}, percents})
	}
	add("cross-entropy", figure{func(r metrics.Report) string { return fmt.Sprintf("%.4f", r.Loss) },
		func(r metrics.Report) (float64, bool) { return r.Loss, true }, "%.4f ± %.4f"})
	return s
}

// pairTable has a line for each pair and each choice of rows.
func pairTable(list []Comparison, split string) table {
	s := table{title: "Differences on " + split + " (points of accuracy; p of McNemar's exact test, between several runs of Welch's, corrected by Holm; better: below 0.05)",
		head: append([]string{"", "rows"}, metrics.ContrastColumns...)}
	called := names(list)[1:]
	for i, c := range list {
		for j, other := range list[i+1:] {
			pair := called[i] + " − " + called[i+1+j]
			for _, t := range c.Tests {
				if t.Against == other.Run && t.Split == split {
					s.rows, pair = append(s.rows, append([]string{pair}, t.cells(called[i], called[i+1+j])...)), ""
				}
			}
		}
	}
	return s
}

// cells are a test's after the pair's name.
func (t Test) cells(this, other string) []string {
	if t.Contrast == nil {
		return []string{"", "", "", "", "", "not tested: " + t.NotTested}
	}
	counted := t.Rows
	if t.Discordant != nil {
		counted += fmt.Sprintf(" %d", t.Total)
	} else {
		counted += fmt.Sprintf(", %d and %d runs", t.Runs[0], t.Runs[1])
	}
	return append([]string{counted}, t.Cells(this, other)...)
}

func comparedClasses(list []Comparison, split string) []string {
	var out []string
	for _, c := range list {
		for _, r := range c.Reports {
			for _, class := range r.Classes {
				if r.Split == split && !slices.Contains(out, class.Name) {
					out = append(out, class.Name)
				}
			}
		}
	}
	return out
}

// Write prints the tables for a terminal.
func Write(w io.Writer, list []Comparison) error {
	for i, s := range tables(list) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, s.title)
		t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		for _, line := range append([][]string{s.head}, s.rows...) {
			fmt.Fprintln(t, strings.Join(line, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return writeNotes(w, list, "\nnote (%s): %s")
}

// Markdown is the tables as Markdown.
func Markdown(list []Comparison) []byte {
	var b bytes.Buffer
	for i, s := range tables(list) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "**%s**\n\n", s.title)
		writeLine(&b, s.head)
		writeLine(&b, append([]string{"---"}, slices.Repeat([]string{"---:"}, len(s.head)-1)...))
		for _, line := range s.rows {
			writeLine(&b, line)
		}
	}
	_ = writeNotes(&b, list, "\n- `%s`: %s") // a buffer takes everything
	return b.Bytes()
}

func writeLine(b *bytes.Buffer, cells []string) {
	for _, c := range cells {
		fmt.Fprintf(b, "| %s ", strings.ReplaceAll(c, "|", `\|`))
	}
	b.WriteString("|\n")
}

func writeNotes(w io.Writer, list []Comparison, format string) error {
	text := ""
	for _, c := range list {
		for _, n := range c.Notes {
			text += fmt.Sprintf(format, c.Run, n)
		}
	}
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
