package chart

import (
	"fmt"
	"math"
	"strings"
)

// Bars are horizontal bars from 0: for each category one of each group, side by side.
// A value below 0 or not finite has no bar.
type Bars struct {
	Title      string
	Value      Axis // its label, and how values are shown
	Categories []string
	Groups     []Group
}

// Group is one colour of Bars.
type Group struct {
	Name   string
	Values []float64 // by category
	Notes  []string  // shown beside the bars in the values' place; nil: the values
}

// Name is the title with what is drawn.
func (b *Bars) Name() string {
	var names []string
	for _, g := range b.Groups {
		names = append(names, g.Name)
	}
	return fmt.Sprintf("%s: %s of %d categories, by %s", b.Title, b.Value.Label, len(b.Categories), strings.Join(names, ", "))
}

// Table has a row for each category, a column for each group.
func (b *Bars) Table() Table {
	t := Table{Head: []string{""}}
	for _, g := range b.Groups {
		t.Head = append(t.Head, g.Name)
	}
	for i, c := range b.Categories {
		row := []string{c}
		for _, g := range b.Groups {
			row = append(row, g.cell(b.Value, i))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (g Group) cell(a Axis, i int) string {
	text := a.Number(g.Values[i])
	if g.Notes != nil {
		text = g.Notes[i]
	}
	return text
}

// Sizes of bars, in units.
const (
	barHeight   = 11.0
	barGap      = 7.0 // between categories
	maxCategory = 110.0
)

func (b *Bars) draw() *drawing {
	d := &drawing{Width: width}
	y := 8.0
	if len(b.Groups) > 1 {
		var keys []key
		for i, g := range b.Groups {
			keys = append(keys, key{g.Name, colour(i), "box"})
		}
		y = d.legend(keys) + 6
	}
	left, right, most := 30.0, 0.0, 0.0
	for i, c := range b.Categories {
		left = max(left, textWidth(c)+8)
		for _, g := range b.Groups {
			right = max(right, 1.2*textWidth(g.cell(b.Value, i))+8) // figures are wide letters
			if finite(g.Values[i]) {
				most = max(most, g.Values[i])
			}
		}
	}
	left = min(left, maxCategory)
	top, room := y, width-left-right
	for i, c := range b.Categories {
		middle := y + barHeight*float64(len(b.Groups))/2
		d.text(left-5, middle+4, "end", "label", cut(c, left-5))
		for n, g := range b.Groups {
			w, v := 0.0, g.Values[i]
			if finite(v) && v > 0 {
				w = math.Max(round(v/most*room), 0.5)
			}
			note := c + ", " + g.Name + ": " + g.cell(b.Value, i)
			d.add(mark{Kind: "rect", Class: "bar " + colour(n), X: round(left), Y: round(y), W: w, H: barHeight - 1, Text: note})
			d.text(left+w+4, y+barHeight-2, "start", "label", g.cell(b.Value, i))
			y += barHeight
		}
		y += barGap
	}
	d.line("axis", left, top-4, left, y-barGap+2)
	d.Height = round(y)
	return d
}
