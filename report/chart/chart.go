// Package chart draws charts as SVG, without scripts: curves, points with intervals
// and bars. A chart is a value that holds its numbers; what is drawn and the table
// behind it both come from these, so that neither says what the other does not.
//
// Colours are variables of the page (see CSS), light and dark; in a file of its own a
// chart brings them along. Coordinates are in a box 400 units wide, which suits the
// width of a phone and that of half a desk's screen.
package chart

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"math"
	"strconv"
)

// Chart is a chart of this package: *Plot or *Bars.
type Chart interface {
	Name() string // what it shows, for who cannot see it
	Table() Table // the numbers behind it
	draw() *drawing
}

// Table is a chart's numbers: a row for each point or category.
type Table struct {
	Head []string
	Rows [][]string
}

// CSV is the table as a file of comma-separated values.
func (t Table) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(t.Head)    // a buffer takes everything
	_ = w.WriteAll(t.Rows) // and is flushed here
	return b.Bytes()
}

// CSS styles the charts of a page: once, in its head.
//
//go:embed svg/chart.css
var CSS string

//go:embed svg/chart.svg
var drawingText string

var drawingTemplate = template.Must(template.New("chart.svg").Parse(drawingText))

// SVG is a chart as an element of a page that has CSS.
func SVG(c Chart) (template.HTML, error) {
	data, err := render(c, "")
	return template.HTML(data), err
}

// File is a chart as an SVG file of its own.
func File(c Chart) ([]byte, error) { return render(c, CSS) }

func render(c Chart, css string) ([]byte, error) {
	d := c.draw()
	d.Name, d.CSS = c.Name(), template.CSS(css)
	var b bytes.Buffer
	if err := drawingTemplate.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("chart %q: %w", d.Name, err)
	}
	return b.Bytes(), nil
}

// Colours are the colours of series, classes s0 and on; further series begin anew.
const Colours = 8

// drawing is what the template prints: marks in the order in which they cover each
// other.
type drawing struct {
	Name          string
	CSS           template.CSS // of a file of its own
	Width, Height float64
	Marks         []mark
}

// mark is one element. Which of the fields count follows from Kind.
type mark struct {
	Kind       string // path, rect, circle, text
	Class      string
	X, Y, W, H float64
	D          string // of a path
	Text       string // of a text; of others what a pointer resting on it is told
	Anchor     string // of a text: start, middle, end
	Turned     bool   // of a text: read from below
}

func (d *drawing) add(m mark) { d.Marks = append(d.Marks, m) }

func (d *drawing) text(x, y float64, anchor, class, text string) {
	d.add(mark{Kind: "text", X: round(x), Y: round(y), Anchor: anchor, Class: class, Text: text})
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.add(mark{Kind: "path", Class: class, D: fmt.Sprintf("M%s %sL%s %s", coordinate(x1), coordinate(y1), coordinate(x2), coordinate(y2))})
}

// round keeps a tenth of a unit, which no screen shows.
func round(v float64) float64 { return math.Round(v*10) / 10 }

func coordinate(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

// colour is the class of a series by its number.
func colour(series int) string { return fmt.Sprintf("s%d", series%Colours) }

// The box, and the room that letters take.
const (
	width    = 400.0
	letter   = 6.1  // mean width of one, of the labels' size
	fontSize = 11.0 // as in chart.css
	lineStep = 15.0
)

// textWidth is about the width of a label.
func textWidth(s string) float64 { return letter * float64(len([]rune(s))) }

// cut shortens a label to about so many units; the table has it whole.
func cut(s string, units float64) string {
	r := []rune(s)
	if n := int(units / letter); len(r) > n && n > 1 {
		return string(r[:n-1]) + "…"
	}
	return s
}

// key is an entry of a legend.
type key struct {
	text  string
	class string // of the stroke or box beside it
	mark  string // line, dashed, box, or the number of a point
}

// legend writes the keys from the top down, as many beside each other as have room,
// and tells where it ends.
func (d *drawing) legend(keys []key) float64 {
	x, y := 4.0, 12.0
	for _, k := range keys {
		text := cut(k.text, width-40)
		w := 26 + textWidth(text) + 12
		if x > 4 && x+w > width {
			x, y = 4, y+lineStep
		}
		switch k.mark {
		case "line", "dashed":
			d.line("curve "+k.class+map[bool]string{true: " dashed"}[k.mark == "dashed"], x, y-4, x+20, y-4)
		case "box":
			d.add(mark{Kind: "rect", Class: "bar " + k.class, X: x + 6, Y: y - 9, W: 10, H: 10})
		default:
			d.add(mark{Kind: "circle", Class: "point " + k.class, X: x + 10, Y: y - 4, W: 7})
			d.text(x+10, y-0.5, "middle", "number", k.mark)
		}
		d.text(x+25, y, "start", "label", text)
		x += w
	}
	return y + 8
}
