package compare

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/internal/columns"
)

// Table has a row of cells for each line, a column for each run.
type Table struct {
	Title string     `json:"title"`
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
}

// Tables are the tables of a comparison: what the models are, how they learned,
// how often they are right on each split, and which of two is better.
func Tables(list []Comparison) []Table {
	out := []Table{modelTable(list)}
	if s := learningTable(list); len(s.Rows) > 0 {
		out = append(out, s)
	}
	for _, split := range Splits(list) {
		out = append(out, accuracyTable(list, split))
		if s := pairTable(list, split); len(s.Rows) > 0 {
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

func modelTable(list []Comparison) Table {
	t := Table{"Models", names(list), [][]string{
		row("model", list, func(c Comparison) string { return c.Model }),
		row("parameters", list, func(c Comparison) string { return fmt.Sprint(c.Parameters) }),
		row("MACs", list, func(c Comparison) string { return fmt.Sprint(c.MACs) }),
		row("epochs", list, func(c Comparison) string { return ifTrained(c, fmt.Sprint(c.Epochs)) }),
		row("seconds per epoch", list, func(c Comparison) string { return ifTrained(c, fmt.Sprintf("%.2f", c.Seconds)) }),
	}}
	if slices.ContainsFunc(list, func(c Comparison) bool { return c.BackboneParameters > 0 }) {
		t.Rows = slices.Insert(t.Rows, 2, row("backbone's parameters", list, func(c Comparison) string { return dash(c.BackboneParameters > 0, fmt.Sprint(c.BackboneParameters)) }))
	}
	return t
}

// ifTrained is the cell of a run with a history, and "–" of an imported one.
func ifTrained(c Comparison, cell string) string {
	return dash(len(c.History) > 0 || c.Epochs > 0, cell)
}

// dash is the cell where there is something to tell, and "–" elsewhere.
func dash(there bool, cell string) string {
	if !there {
		return "–"
	}
	return cell
}

// LearningTitle is of the table that the curves of a chart say too.
const LearningTitle = "Train loss / validation loss by epoch"

// learningTable has a line for each epoch: train loss, and validation loss where
// there is one.
func learningTable(list []Comparison) Table {
	s := Table{Title: LearningTitle, Head: names(list)}
	last := 0
	for _, c := range list {
		last = max(last, c.Epochs)
	}
	for number := range last + 1 {
		line := row(fmt.Sprint(number), list, func(c Comparison) string { return lossCell(c, number) })
		if slices.ContainsFunc(line[1:], func(cell string) bool { return cell != "" }) {
			s.Rows = append(s.Rows, line)
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

// Splits lists the splits of all reports in order of appearance.
func Splits(list []Comparison) []string {
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

// Write prints the tables for a terminal.
func Write(w io.Writer, list []Comparison) error {
	t := columns.New(w, 3)
	for i, s := range Tables(list) {
		if i > 0 {
			fmt.Fprintln(t)
		}
		fmt.Fprintln(t, s.Title)
		for _, line := range append([][]string{s.Head}, s.Rows...) {
			fmt.Fprintln(t, strings.Join(line, "\t"))
		}
	}
	return cmp.Or(writeNotes(t, list, "\nnote (%s): %s"), t.Flush())
}

// Markdown is the tables as Markdown.
func Markdown(list []Comparison) []byte {
	var b bytes.Buffer
	for i, s := range Tables(list) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "**%s**\n\n", s.Title)
		writeLine(&b, s.Head)
		writeLine(&b, append([]string{"---"}, slices.Repeat([]string{"---:"}, len(s.Head)-1)...))
		for _, line := range s.Rows {
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
