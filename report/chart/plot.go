package chart

import (
	"fmt"
	"math"
	"strings"
)

// Point is a value of a Series, with the ends of its interval where it has one.
type Point struct {
	X, Y float64
	Ends *[2]float64 // of Y
	Note string      // of the point, for a pointer that rests on it
}

// Series is a curve, or with Number some points.
type Series struct {
	Name     string
	Colour   int // which of the page's colours, from 0; they come again
	Dashed   bool
	Dots     bool // the curve's points are drawn too
	Number   int  // 0: a curve; else points by that number, which the legend explains
	Unlisted bool // the legend leaves it out: another series of its colour stands there
	Points   []Point
}

// Plot is curves and points over two axes. A value that is not finite leaves a gap.
type Plot struct {
	Title    string
	X, Y     Axis
	Series   []Series
	Identity bool // the line on which Y is X
}

// Add takes in a series, unless it has no points.
func (p *Plot) Add(s Series) {
	if len(s.Points) > 0 {
		p.Series = append(p.Series, s)
	}
}

// Name is the title with what is drawn.
func (p *Plot) Name() string {
	var names []string
	for _, s := range p.Series {
		names = append(names, s.Name)
	}
	return fmt.Sprintf("%s: %s over %s, of %s", p.Title, p.Y.Label, p.X.Label, strings.Join(names, ", "))
}

// Table has a row for each point.
func (p *Plot) Table() Table {
	t := Table{Head: []string{"", p.X.Label, p.Y.Label}}
	ends := false
	for _, s := range p.Series {
		for _, q := range s.Points {
			ends = ends || q.Ends != nil
		}
	}
	if ends {
		t.Head = append(t.Head, "from", "to")
	}
	for _, s := range p.Series {
		for _, q := range s.Points {
			row := []string{s.Name, p.X.Number(q.X), p.Y.Number(q.Y)}
			switch {
			case ends && q.Ends != nil:
				row = append(row, p.Y.Number(q.Ends[0]), p.Y.Number(q.Ends[1]))
			case ends:
				row = append(row, "", "")
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// The area of a plot: its height, and the room for labels beside it.
const (
	plotHeight = 210.0
	plotLeft   = 58.0
	plotRight  = width - 10
	plotFoot   = 38.0
)

func (p *Plot) draw() *drawing {
	d := &drawing{Width: width}
	var keys []key
	var xs, ys []float64
	for _, s := range p.Series {
		k := key{s.Name, colour(s.Colour), "line"}
		if s.Dashed {
			k.mark = "dashed"
		}
		if s.Number > 0 {
			k.mark = fmt.Sprint(s.Number)
		}
		if !s.Unlisted {
			keys = append(keys, k)
		}
		for _, q := range s.Points {
			xs, ys = append(xs, q.X), append(ys, q.Y)
			if q.Ends != nil {
				ys = append(ys, q.Ends[0], q.Ends[1])
			}
		}
	}
	top := 10.0
	if len(keys) > 1 || len(keys) == 1 && keys[0].mark != "line" {
		top = d.legend(keys) + 6
	}
	bottom := top + plotHeight
	d.Height = bottom + plotFoot
	x, xTicks := newScale(p.X, xs, plotLeft, plotRight, 6)
	y, yTicks := newScale(p.Y, ys, bottom, top, 6)
	p.frame(d, top, bottom, x, y, xTicks, yTicks)
	for _, s := range p.Series {
		s.draw(d, p, x, y)
	}
	return d
}

// frame draws grid, ticks and labels.
func (p *Plot) frame(d *drawing, top, bottom float64, x, y scale, xTicks, yTicks []tick) {
	for _, t := range yTicks {
		at, _ := y.at(t.at)
		d.line("grid", plotLeft, at, plotRight, at)
		d.text(plotLeft-5, at+4, "end", "label", t.text)
	}
	last := -1e9 // where the last label ends
	for _, t := range xTicks {
		at, _ := x.at(t.at)
		d.line("grid", at, bottom, at, bottom+4)
		half := textWidth(t.text) / 2
		middle := min(at, width-half-3)
		if middle-half < last+6 {
			continue
		}
		d.text(middle, bottom+16, "middle", "label", t.text)
		last = middle + half
	}
	d.line("axis", plotLeft, bottom, plotRight, bottom)
	d.text((plotLeft+plotRight)/2, bottom+32, "middle", "label", p.X.Label)
	d.add(mark{Kind: "text", Class: "label", X: 11, Y: round((top + bottom) / 2), Anchor: "middle", Turned: true, Text: p.Y.Label})
	if p.Identity {
		low, high := max(x.low, y.low), min(x.top, y.top)
		x1, _ := x.at(low)
		y1, _ := y.at(low)
		x2, _ := x.at(high)
		y2, _ := y.at(high)
		d.line("identity", x1, y1, x2, y2)
	}
}

func (s Series) draw(d *drawing, p *Plot, x, y scale) {
	class, path, gap := colour(s.Colour), "", true
	var marks []mark
	for _, q := range s.Points {
		px, okX := x.at(q.X)
		py, okY := y.at(q.Y)
		if !okX || !okY {
			gap = true
			continue
		}
		if place := coordinate(px) + " " + coordinate(py); gap {
			path += "M" + place + "h0" // a dot, where gaps are on both sides
		} else {
			path += "L" + place
		}
		gap = false
		if q.Ends != nil {
			low, okLow := y.at(q.Ends[0])
			high, okHigh := y.at(q.Ends[1])
			if okLow && okHigh {
				d.line("whisker "+class, px, low, px, high)
			}
		}
		note := fmt.Sprintf("%s: %s %s, %s %s", s.Name, p.X.Label, p.X.Number(q.X), p.Y.Label, p.Y.Number(q.Y))
		if q.Note != "" {
			note += ", " + q.Note
		}
		switch {
		case s.Number > 0:
			marks = append(marks, mark{Kind: "circle", Class: "point " + class, X: round(px), Y: round(py), W: 7, Text: note},
				mark{Kind: "text", Class: "number", X: round(px), Y: round(py + 3.5), Anchor: "middle", Text: fmt.Sprint(s.Number)})
		case s.Dots || len(s.Points) == 1:
			marks = append(marks, mark{Kind: "circle", Class: "point " + class, X: round(px), Y: round(py), W: 3, Text: note})
		}
	}
	if s.Number == 0 && path != "" {
		d.add(mark{Kind: "path", Class: "curve " + class + map[bool]string{true: " dashed"}[s.Dashed], D: path, Text: s.Name})
	}
	d.Marks = append(d.Marks, marks...)
}

// Share is an axis from 0 to 1, in percent.
func Share(label string) Axis {
	return Axis{Label: label, Percent: true, From: new(0.0), To: new(1.0)}
}

// finite tells a number that can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
