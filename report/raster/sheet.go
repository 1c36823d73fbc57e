// Package raster draws arrays of numbers as pictures: tiles side by side with their captions, in colours whose scale is
// told, as PNG or as SVG. Numbers are shown as they are, each as a rectangle of one colour.
package raster

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"
)

// Tile is one picture of a Sheet.
type Tile struct {
	Image   image.Image // nil: the place is empty
	W, H    int         // as drawn; 0: the image's own
	Smooth  bool        // enlarged by the bilinear filter, as photographs are
	Text    string      // in its middle
	Caption string      // below it
}

// Scale says what the colours of a Sheet mean.
type Scale struct {
	Map       Map
	Low, High string // what stands at the ends
}

// Sheet is tiles in rows under a title.
type Sheet struct {
	Title  string
	Lines  []string // below the title
	Tiles  []Tile
	Beside int      // tiles side by side; 0: all
	Across []string // headings of the columns
	Down   []string // of the rows
	Scale  *Scale
}

// Number is a value in three digits.
func Number(v float64) string {
	if a := math.Abs(v); a >= 1000 && a < 1e6 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	s := strconv.FormatFloat(v, 'g', 3, 64)
	return strings.Replace(s, "-", "−", 1)
}

// Between is a scale of numbers.
func Between(m Map, low, high float64) *Scale { return &Scale{m, Number(low), Number(high)} }

// Name is what the sheet shows, for who cannot see it.
func (s *Sheet) Name() string { return strings.Join(append([]string{s.Title}, s.Lines...), ". ") }

// Sizes, in points.
const (
	margin   = 12
	gap      = 4 // between tiles
	textSize = 12
	heading  = 16
	lineStep = 17
	capStep  = 13
	capSize  = 10.5
	barWidth = 160
)

// piece is a picture or a line of text at its place.
type piece struct {
	image      image.Image
	x, y, w, h float64
	smooth     bool

	text   string // x is its middle, with anchor start or end its beginning or end; y its base line
	size   float64
	anchor string
	colour color.NRGBA // of letters; zero: the page's ink
	bold   bool
}

// layout puts everything in its place; title and lines are left out where a page has them.
func (s *Sheet) layout(titled bool) (pieces []piece, width, height float64) {
	y := float64(margin)
	if titled {
		width = 2*margin + wider*widest(s.Title, heading, true)
		y += heading
		pieces = append(pieces, piece{text: s.Title, x: margin, y: y, size: heading, anchor: "start", bold: true})
		for _, line := range s.Lines {
			y += lineStep
			pieces = append(pieces, piece{text: line, x: margin, y: y, size: textSize, anchor: "start"})
			width = max(width, 2*margin+wider*widest(line, textSize, false))
		}
		y += 10
	}
	tiles, right, bottom := s.place(y)
	pieces = append(pieces, tiles...)
	width, y = max(width, right+margin), bottom
	if s.Scale != nil {
		bar := s.Scale.place(margin, y+4)
		high := bar[len(bar)-1]
		pieces = append(pieces, bar...)
		width, y = max(width, high.x+widest(high.text, high.size, false)+margin), y+4+lineStep
	}
	return pieces, math.Ceil(width), math.Ceil(y + margin)
}

// place puts the tiles into rows, from y down.
func (s *Sheet) place(y float64) (pieces []piece, right, bottom float64) {
	beside := s.Beside
	if beside == 0 {
		beside = max(len(s.Tiles), 1)
	}
	left := float64(margin)
	for _, word := range s.Down {
		left = max(left, margin+8+wider*widest(word, textSize, false))
	}
	column := 0.0 // all columns are as wide as the widest tile
	for _, t := range s.Tiles {
		w, _ := t.size()
		column = max(column, w)
	}
	for i, word := range s.Across {
		pieces = append(pieces, piece{text: word, x: left + float64(i)*(column+gap) + column/2, y: y + textSize - 2, size: capSize, anchor: "middle"})
	}
	if s.Across != nil {
		y += lineStep
	}
	right, bottom = left, y
	for from := 0; from < len(s.Tiles); from += beside {
		row := s.Tiles[from:min(from+beside, len(s.Tiles))]
		high, below := 0.0, 0.0
		for i, t := range row {
			x := left + float64(i)*(column+gap)
			list, h, c := t.place(x, bottom, column)
			pieces, high, below = append(pieces, list...), max(high, h), max(below, c)
			right = max(right, x+column)
		}
		if n := from / beside; n < len(s.Down) {
			pieces = append(pieces, piece{text: s.Down[n], x: margin, y: bottom + high/2 + 4, size: textSize, anchor: "start"})
		}
		bottom += high + below + gap
	}
	return pieces, right, bottom
}

// wider is how much wider letters of a browser's own font are than those of PNG files.
const wider = 1.2

// size is the tile's as drawn.
func (t Tile) size() (w, h float64) {
	if t.W > 0 {
		return float64(t.W), float64(t.H)
	}
	b := t.Image.Bounds()
	return float64(b.Dx()), float64(b.Dy())
}

// place puts a tile, in a column, and its caption, cut to the column's width; high and below are what the two take.
func (t Tile) place(x, y, column float64) (pieces []piece, high, below float64) {
	w, h := t.size()
	if t.Image == nil {
		return nil, h, 0
	}
	x += (column - w) / 2
	pieces = append(pieces, piece{image: t.Image, x: x, y: y, w: w, h: h, smooth: t.Smooth})
	if t.Text != "" {
		p := piece{text: t.Text, x: x + w/2, y: y + h/2 + 4, size: textSize, anchor: "middle", colour: color.NRGBA{255, 255, 255, 255}}
		b := t.Image.Bounds()
		if r, g, bl, _ := t.Image.At(b.Min.X, b.Min.Y).RGBA(); light(color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 255}) {
			p.colour = color.NRGBA{20, 20, 20, 255}
		}
		pieces = append(pieces, p)
	}
	if t.Caption != "" {
		below = capStep
		pieces = append(pieces, piece{text: shorten(t.Caption, capSize, column), x: x + w/2, y: y + h + capStep - 3, size: capSize, anchor: "middle"})
	}
	return pieces, h, below
}

// place puts the colours in a row between the words for their ends.
func (s *Scale) place(x, y float64) []piece {
	const steps, high = 64, 12
	ramp := Array{1, steps, make([]float32, steps)}
	for i := range ramp.V {
		ramp.V[i] = float32(i)
	}
	from := x + wider*widest(s.Low, textSize, false) + 6
	return []piece{{text: s.Low, x: from - 6, y: y + high - 1, size: textSize, anchor: "end"},
		{image: ramp.Paint(s.Map, 0, steps-1), x: from, y: y, w: barWidth, h: high, smooth: true},
		{text: s.High, x: from + barWidth + 6, y: y + high - 1, size: textSize, anchor: "start"}}
}

// shorten cuts a line to a width.
func shorten(text string, size, width float64) string {
	r := []rune(text)
	for len(r) > 1 && widest(text, size, false) > width {
		r = r[:len(r)-1]
		text = fmt.Sprint(string(r), "…")
	}
	return text
}
