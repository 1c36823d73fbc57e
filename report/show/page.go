package show

import (
	"bytes"
	_ "embed"
	"html/template"

	"graft/report/chart"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is figures under a title.
type page struct {
	Title   string
	Notes   []string
	figures []Figure

	CSS      template.CSS
	Sections []section
}

// section is one figure of a page. Photographs in their own size are files alone: their sheets are here.
type section struct {
	Title string
	Lines []string
	SVG   template.HTML
	Chart bool
}

// html is the page as one file that loads nothing.
func (p page) html() ([]byte, error) {
	p.CSS = template.CSS(chart.CSS)
	for _, f := range p.figures {
		var s section
		var err error
		switch {
		case f.Chart != nil:
			s.Title, s.Chart = f.Name, true
			s.SVG, err = chart.SVG(f.Chart)
		case f.Sheet != nil:
			s.Title, s.Lines = f.Sheet.Title, f.Sheet.Lines
			s.SVG, err = f.Sheet.SVG()
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		p.Sections = append(p.Sections, s)
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	return b.Bytes(), err
}
