package raster

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/color"
)

// sheetTemplate prints a sheet. In a page letters have the page's colour, in a file of its own they stand on white.
var sheetTemplate = template.Must(template.New("sheet").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.W}} {{.H}}" width="{{.W}}" height="{{.H}}" role="img" aria-label="{{.Name}}" font-family="sans-serif">
{{- if .File}}<rect width="{{.W}}" height="{{.H}}" fill="#fff"/>{{end}}
{{- range .Pieces}}
{{if .Data}}<image x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" preserveAspectRatio="none" style="image-rendering:{{.Filter}}" href="{{.Data}}"/>
{{- else}}<text x="{{.X}}" y="{{.Y}}" font-size="{{.Size}}" text-anchor="{{.Anchor}}" fill="{{.Colour}}"{{if .Bold}} font-weight="bold"{{end}}>{{.Text}}</text>{{end}}
{{- end}}
</svg>
`))

type svgPiece struct {
	Data             template.URL
	X, Y, W, H, Size float64
	Filter, Anchor   string
	Colour, Text     string
	Bold             bool
}

// SVG is the sheet as an element of a page that shows title and lines itself.
func (s *Sheet) SVG() (template.HTML, error) {
	data, err := s.svg(false)
	return template.HTML(data), err
}

// File is the sheet as an SVG file of its own.
func (s *Sheet) File() ([]byte, error) { return s.svg(true) }

func (s *Sheet) svg(file bool) ([]byte, error) {
	pieces, width, height := s.layout(file)
	page := struct {
		Name   string
		W, H   float64
		File   bool
		Pieces []svgPiece
	}{s.Name(), width, height, file, nil}
	for _, p := range pieces {
		one := svgPiece{X: p.x, Y: p.y, W: p.w, H: p.h, Size: p.size, Anchor: p.anchor, Text: p.text, Bold: p.bold, Filter: "pixelated", Colour: paint(p.colour)}
		if p.image != nil {
			data, err := PNG(p.image)
			if err != nil {
				return nil, err
			}
			one.Data = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))
		}
		if p.smooth {
			one.Filter = "auto"
		}
		page.Pieces = append(page.Pieces, one)
	}
	var b bytes.Buffer
	err := sheetTemplate.Execute(&b, page)
	return b.Bytes(), err
}

// paint is a colour in CSS; none is the page's ink, black in a file of its own.
func paint(c color.NRGBA) string {
	if c.A == 0 {
		return "var(--ink, #1b1b1f)"
	}
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}
