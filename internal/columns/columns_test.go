package columns

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"unicode/utf8"
)

// What fits looks as text/tabwriter prints it.
func TestNarrow(t *testing.T) {
	const left = "\tα\tb\nlong name\t1\t22\n\nprose\nkey\tvalue\n\tmore\n"
	const right = "true\tclass\t\n1\t22\t\n"
	for _, c := range []struct {
		text  string
		ours  func(w *bytes.Buffer) *Writer
		flags uint
	}{
		{left, func(w *bytes.Buffer) *Writer { return New(w, 3) }, 0},
		{right, func(w *bytes.Buffer) *Writer { return NewRight(w, 3) }, tabwriter.AlignRight},
	} {
		var got, want bytes.Buffer
		std := tabwriter.NewWriter(&want, 0, 0, 3, ' ', c.flags)
		fmt.Fprint(std, c.text)
		std.Flush()
		ours := c.ours(&got)
		fmt.Fprint(ours, c.text)
		if err := ours.Flush(); err != nil || got.String() != want.String() {
			t.Errorf("%v, got\n%swant\n%s", err, got.String(), want.String())
		}
	}
}

// What is too wide is broken where words end, or continued below.
func TestWide(t *testing.T) {
	var list strings.Builder
	for _, row := range []string{"x", "first", "second"} {
		list.WriteString(row)
		for j := range 9 {
			fmt.Fprintf(&list, "\t%s of %d", row, j)
		}
		list.WriteString("\tand a sentence that is as long as sentences are now and then, or a little longer\n")
	}
	list.WriteString("   Prose that no terminal of eighty columns has the room for in one line, and is indented.\n")
	list.WriteString("key\ta value of many words, more than there is room for beside the key, so that it goes on\n")
	for _, w := range []func(*bytes.Buffer) *Writer{func(b *bytes.Buffer) *Writer { return New(b, 2) }, func(b *bytes.Buffer) *Writer { return NewRight(b, 2) }} {
		var out bytes.Buffer
		ours := w(&out)
		fmt.Fprint(ours, list.String())
		if err := ours.Flush(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > Width {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		words := strings.Fields(out.String())
		for _, word := range strings.Fields(list.String()) {
			if !strings.Contains(strings.Join(words, " "), word) {
				t.Errorf("%q is lost", word)
			}
		}
	}
}

// A word that is wider than a terminal, a path mostly, stays whole.
func TestLongWord(t *testing.T) {
	path := strings.Repeat("/folder", 20)
	var out bytes.Buffer
	w := New(&out, 2)
	fmt.Fprintf(w, "path\tin %s\n", path)
	if err := w.Flush(); err != nil || out.String() != "path  in\n      "+path+"\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

func ExampleWriter() {
	w := New(os.Stdout, 2)
	fmt.Fprint(w, "name\tnote\nvit\tlong text goes on in the next line of its cell where a line has no more room\n")
	_ = w.Flush()
	// Output:
	// name  note
	// vit   long text goes on in the next line of its cell where a line has no more
	//       room
}
