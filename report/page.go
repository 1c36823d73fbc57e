package report

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"regexp"

	"graft/report/chart"
)

//go:embed html
var files embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"dict": dict, "csv": csvLink, "series": func(i int) string { return fmt.Sprintf("s%d", i%chart.Colours) },
	"percent": func(v float64) string { return fmt.Sprintf("%.1f%%", 100*v) },
}).ParseFS(files, "html/*.html"))

// page is what the template prints.
type page struct {
	*Report
	Style  template.CSS
	Script template.JS
}

// HTML is the report as one page, whole or not at all: it loads nothing, and forbids the
// browser to.
func (r *Report) HTML() ([]byte, error) {
	style, err := files.ReadFile("html/report.css")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("html/report.js")
	if err != nil {
		return nil, err
	}
	p := page{r, template.CSS(chart.CSS + string(style) + r.faces.css()), template.JS(script)}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), selfContained(b.Bytes())
}

// css shows the sheets: an element of class face or spot is a window on its sheet, at
// the column --x and row --y.
func (f *faces) css() string {
	out := ""
	for _, s := range []struct {
		class string
		sheet
	}{{"face", f.large}, {"spot", f.small}} {
		if s.picture != nil {
			out += fmt.Sprintf("\n.%s { --columns: %d; background-image: url(data:image/jpeg;base64,%s); }", s.class, s.columns(), base64.StdEncoding.EncodeToString(s.picture))
		}
	}
	return out
}

// leads are the places of a page that a browser may load from or go to.
var leads = regexp.MustCompile(`(?:\s(?:src|href|srcset|action|data)=["']?|url\(["']?|@import\s*["']?)([^"'\s>)]*)`)

// selfContained wants a page to lead to itself alone.
func selfContained(page []byte) error {
	for _, m := range leads.FindAllSubmatch(page, -1) {
		if to := m[1]; !bytes.HasPrefix(to, []byte("#")) && !bytes.HasPrefix(to, []byte("data:")) {
			return fmt.Errorf("report: the page leads to %.80q, want nothing outside it", to)
		}
	}
	return nil
}

// dict gives a template several values.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("key %v of a dict, want a word", pairs[i])
		}
		out[key] = pairs[i+1]
	}
	return out, nil
}

// csvLink is a table as a file that the page holds.
func csvLink(t Table) template.URL {
	data := chart.Table{Head: t.Head, Rows: t.Rows}.CSV()
	return template.URL("data:text/csv;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(data))
}
