// Package columns prints text and tables that fit a terminal of 80 columns.
package columns

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Width is how many columns all lines keep within, unless a word alone is wider.
	Width = 80
	// leastMixed is the least that a column may be narrowed to that has more than words in it.
	leastMixed = 24
)

// Writer takes lines whose cells are parted by tabs, as text/tabwriter does. Lines with tabs that follow one another are a
// table. Of one that is too wide, long text goes on in the next line of its cell, and columns that still have no place come
// below as a table of their own, behind the first column. A line without tabs is filled.
type Writer struct {
	to    io.Writer
	gap   int  // blanks between columns
	right bool // cells stand at the right of their columns
	text  bytes.Buffer
}

// New is a writer of columns that begin at the left; NewRight of such as end at the right.
func New(to io.Writer, gap int) *Writer { return &Writer{to: to, gap: gap} }

// NewRight is New for columns that end at the right.
func NewRight(to io.Writer, gap int) *Writer { return &Writer{to: to, gap: gap, right: true} }

func (t *Writer) Write(p []byte) (int, error) { return t.text.Write(p) }

// Flush writes what was collected.
func (t *Writer) Flush() error {
	var out strings.Builder
	var rows [][]string
	flush := func() {
		if rows != nil {
			t.table(&out, rows)
			rows = nil
		}
	}
	for line := range strings.Lines(t.text.String()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.Contains(line, "\t") {
			rows = append(rows, strings.Split(strings.TrimRight(line, "\t"), "\t"))
			continue
		}
		flush()
		out.WriteString(filled(line))
	}
	flush()
	t.text.Reset()
	_, err := io.WriteString(t.to, out.String())
	return err
}

// filled is a line of text; what does not fit goes on below, a little to the right of its beginning.
func filled(line string) string {
	if utf8.RuneCountInString(line) <= Width {
		return line + "\n"
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	return line[:indent] + Fill(line, indent, indent+2) + "\n"
}

func (t *Writer) table(out *strings.Builder, rows [][]string) {
	var wants []want
	for _, row := range rows {
		for j, cell := range row {
			if j == len(wants) {
				wants = append(wants, want{})
			}
			wants[j].add(cell)
		}
	}
	for i, block := range t.blocks(wants) {
		if i > 0 {
			out.WriteByte('\n')
		}
		for _, row := range rows {
			t.row(out, row, block)
		}
	}
}

// want is how wide a column is, and can be.
type want struct {
	all, word int // the longest cell and word
	mixed     bool
}

func (w *want) add(cell string) {
	w.all = max(w.all, utf8.RuneCountInString(cell))
	for _, word := range strings.Fields(cell) {
		w.word = max(w.word, utf8.RuneCountInString(word))
	}
	first, _ := utf8.DecodeRuneInString(cell)
	w.mixed = w.mixed || cell != "" && !unicode.IsLetter(first)
}

// within is the width that the column takes of so much room, if it can.
func (w want) within(room int) (width int, ok bool) {
	least := w.word
	if w.mixed {
		least = max(least, leastMixed)
	}
	return min(w.all, room), w.all <= room || least <= room
}

// column is one of a block: which of the table, and how wide.
type column struct{ at, width int }

// blocks parts columns so that each block fits; all begin with the first column.
func (t *Writer) blocks(wants []want) [][]column {
	first := column{0, min(wants[0].all, Width/2)}
	lead := first.width
	if t.right {
		lead += t.gap
	}
	blocks, used := [][]column{{first}}, lead
	for j, want := range wants[1:] {
		last := len(blocks) - 1
		w, ok := want.within(Width - used - t.gap)
		if !ok && len(blocks[last]) > 1 {
			blocks, used, last = append(blocks, []column{first}), lead, last+1
			w, _ = want.within(Width - used - t.gap)
		}
		blocks[last] = append(blocks[last], column{j + 1, w})
		used += t.gap + w
	}
	return blocks
}

func (t *Writer) row(out *strings.Builder, row []string, block []column) {
	cells, height := make([][]string, len(block)), 1
	for i, c := range block {
		if c.at < len(row) {
			cells[i] = []string{row[c.at]}
			if utf8.RuneCountInString(row[c.at]) > c.width {
				cells[i] = strings.Split(Break(row[c.at], 0, 0, c.width, "\n"), "\n")
			}
			height = max(height, len(cells[i]))
		}
	}
	for y := range height {
		var line strings.Builder
		for i, c := range block {
			cell := ""
			if y < len(cells[i]) {
				cell = cells[i][y]
			}
			pad := strings.Repeat(" ", max(0, c.width-utf8.RuneCountInString(cell)))
			switch gap := strings.Repeat(" ", t.gap); {
			case t.right:
				line.WriteString(gap + pad + cell)
			case i > 0:
				line.WriteString(gap + cell + pad)
			default:
				line.WriteString(cell + pad)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// Fill breaks text that begins in a column into lines of Width, all but the first indented.
func Fill(text string, column, indent int) string {
	return Break(text, column, indent, Width, "\n")
}

// Break is Fill for another width and end of lines.
func Break(text string, column, indent, width int, lineEnd string) string {
	var out strings.Builder
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			out.WriteString(lineEnd + strings.Repeat(" ", indent))
			column = indent
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += n
	}
	return out.String()
}
