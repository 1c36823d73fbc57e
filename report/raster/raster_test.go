package raster

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

func TestColoursAreThoseOfTheMap(t *testing.T) {
	for _, c := range []struct {
		m    Map
		t    float64
		want color.NRGBA
	}{
		{Gray, 0, color.NRGBA{0, 0, 0, 255}}, {Gray, 0.5, color.NRGBA{128, 128, 128, 255}}, {Gray, 7, color.NRGBA{255, 255, 255, 255}},
		{Viridis, 0, color.NRGBA{68, 1, 84, 255}}, {Viridis, 1, color.NRGBA{253, 231, 37, 255}}, {Viridis, -1, color.NRGBA{68, 1, 84, 255}},
		{Diverging, 0.5, color.NRGBA{247, 247, 247, 255}}, {Gray, math.NaN(), missing},
	} {
		if got := c.m.At(c.t); got != c.want {
			t.Errorf("%v at %g: %v, want %v", c.m[0], c.t, got, c.want)
		}
	}
	for m := range 15 { // viridis grows lighter
		a, b := Viridis.At(float64(m)/15), Viridis.At(float64(m+1)/15)
		if 299*int(a.R)+587*int(a.G)+114*int(a.B) >= 299*int(b.R)+587*int(b.G)+114*int(b.B) {
			t.Errorf("viridis at %d of 15 is no darker than the next", m)
		}
	}
}

func TestPaint(t *testing.T) {
	im := Array{2, 2, []float32{-1, 0, 1, float32(math.NaN())}}.Paint(Gray, -1, 1)
	for i, want := range []uint8{0, 128, 255, missing.R} {
		if got := im.NRGBAAt(i%2, i/2).R; got != want {
			t.Errorf("pixel %d: %d, want %d", i, got, want)
		}
	}
	if got := (Array{1, 1, []float32{3}}).Paint(Gray, 3, 3).NRGBAAt(0, 0).R; got != 128 {
		t.Errorf("a range of nothing gives %d, want its middle", got)
	}
	if low, high := Range(Array{1, 3, []float32{2, float32(math.Inf(1)), -4}}); low != -4 || high != 2 {
		t.Errorf("range %g to %g", low, high)
	}
	ramp := Array{10, 100, make([]float32, 1000)}
	for i := range ramp.V {
		ramp.V[i] = float32((i * 7) % 1000)
	}
	if low, high := Most(0.01, ramp); low != 10 || high != 989 {
		t.Errorf("most of 0 to 999 is %g to %g", low, high)
	}
}

// TestOverlayIsInPlace: the colour is where the number lies in the photograph, and outside of the part it is dark.
func TestOverlayIsInPlace(t *testing.T) {
	photo := image.NewGray(image.Rect(0, 0, 40, 20))
	for i := range photo.Pix {
		photo.Pix[i] = 100
	}
	a := Array{2, 2, []float32{0, 1, 0, 0}} // the upper right one
	out := Overlay(photo, a, Window{X: 20, Y: 0, W: 20, H: 20})
	yellow := blend(color.NRGBA{100, 100, 100, 255}, Viridis.At(1), 0.75)
	if got := out.NRGBAAt(39, 0); got != yellow {
		t.Errorf("the corner has %v, want %v", got, yellow)
	}
	if got := out.NRGBAAt(21, 18); got.G > 100 {
		t.Errorf("where the number is 0: %v", got)
	}
	if got := out.NRGBAAt(5, 5); got != (color.NRGBA{40, 40, 40, 255}) || out.Bounds() != photo.Bounds() {
		t.Errorf("outside: %v, %v", got, out.Bounds())
	}
	if got := a.between(0.5, 0); got != 0.5 {
		t.Errorf("between 0 and 1: %g", got)
	}
}

func sheet() *Sheet {
	tiles := []Tile{{Image: Array{1, 2, []float32{0, 1}}.Paint(Gray, 0, 1), W: 40, H: 20, Caption: "a<b"}, {W: 40, H: 20},
		{Image: Array{1, 1, []float32{1}}.Paint(Gray, 0, 1), W: 40, H: 20, Text: "−1"}}
	return &Sheet{Title: "Maps & more", Lines: []string{"of a layer"}, Tiles: tiles, Beside: 2, Across: []string{"x", "y"}, Down: []string{"one", "two"}, Scale: Between(Gray, -1, 2500)}
}

func TestSheet(t *testing.T) {
	data, err := sheet().PNG()
	if err != nil {
		t.Fatal(err)
	}
	im, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	pieces, w, h := sheet().layout(true)
	if b := im.Bounds(); b.Dx() != int(w*density) || b.Dy() != int(h*density) {
		t.Errorf("%v, want %g×%g points", b, w, h)
	}
	var first piece
	for _, p := range pieces {
		right := p.x + p.w
		if p.text != "" && p.anchor == "start" {
			right = p.x + widest(p.text, p.size, p.bold)
		}
		if p.x < 0 || p.y < 0 || right > w || p.y+p.h > h {
			t.Errorf("%q at %g,%g reaches beyond %g×%g", p.text, p.x, p.y, w, h)
		}
		if p.image != nil && first.image == nil {
			first = p
		}
	}
	at := func(x, y float64) uint32 { r, _, _, _ := im.At(int(x*density), int(y*density)).RGBA(); return r >> 8 }
	if l, r := at(first.x+5, first.y+10), at(first.x+35, first.y+10); l != 0 || r != 255 {
		t.Errorf("the first tile's halves have %d and %d, want 0 and 255", l, r)
	}
}

// TestSVGIsWhole parses it strictly, and wants it to refer to nothing.
func TestSVGIsWhole(t *testing.T) {
	inline, err := sheet().SVG()
	if err != nil || strings.Contains(string(inline), "Maps &amp; more</text>") {
		t.Errorf("in a page it brings its title along: %v", err)
	}
	data, err := sheet().File()
	if err != nil {
		t.Fatal(err)
	}
	texts, images := 0, 0
	for dec := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range e.Attr {
			if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "data:image/png;base64,iVBOR") {
				t.Errorf("it refers to %.60q", a.Value)
			}
		}
		switch e.Name.Local {
		case "text":
			texts++
		case "image":
			images++
		}
	}
	if texts != 10 || images != 3 || !strings.Contains(string(data), "a&lt;b") {
		t.Errorf("%d texts and %d images in\n%s", texts, images, data)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", -0.5: "−0.5", 0.02699: "0.027", 2500: "2500", 1e-9: "1e−09"} {
		if got := Number(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}

func ExampleSheet() {
	a := Array{H: 2, W: 2, V: []float32{0, 1, 2, 3}}
	low, high := Range(a)
	s := &Sheet{Title: "A map", Tiles: []Tile{{Image: a.Paint(Viridis, low, high), W: 64, H: 64, Caption: "0"}}, Scale: Between(Viridis, low, high)}
	data, err := s.PNG()
	fmt.Println(len(data) > 0, err)
	// Output: true <nil>
}
