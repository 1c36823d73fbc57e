package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func losses() *Plot {
	return &Plot{Title: "Loss", X: Axis{Label: "epoch", Whole: true}, Y: Axis{Label: "nats"}, Series: []Series{
		{Name: `cnn <"&'>`, Points: []Point{{X: 1, Y: 2}, {X: 2, Y: math.NaN()}, {X: 3, Y: 1.5}, {X: 4, Y: 1.25}}},
		{Name: "vit", Colour: 9, Dashed: true, Points: []Point{{X: 1, Y: 1.9, Ends: &[2]float64{1.8, 2.05}}, {X: 4, Y: 1.7}}},
	}}
}

// elements parses an SVG file strictly and returns its elements by name.
func elements(t *testing.T, data []byte) map[string][]xml.StartElement {
	t.Helper()
	out := map[string][]xml.StartElement{}
	for dec := xml.NewDecoder(bytes.NewReader(data)); ; {
		token, err := dec.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if e, ok := token.(xml.StartElement); ok {
			out[e.Name.Local] = append(out[e.Name.Local], e.Copy())
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	at := slices.IndexFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == name })
	if at < 0 {
		return ""
	}
	return e.Attr[at].Value
}

// TestFileIsOneSVGThatLoadsNothing parses what was drawn as XML: names are escaped, it
// has a name for who cannot see it, and refers to nothing.
func TestFileIsOneSVGThatLoadsNothing(t *testing.T) {
	for _, c := range []Chart{losses(), &Bars{Title: "Faces", Value: Axis{Label: "images"}, Categories: []string{"a<b", "c"}, Groups: []Group{{Name: "train", Values: []float64{3, 0}}, {Name: "test", Values: []float64{1, math.NaN()}}}}} {
		data, err := File(c)
		if err != nil {
			t.Fatal(err)
		}
		all := elements(t, data)
		if name := attribute(all["svg"][0], "aria-label"); name != c.Name() || len(all["style"]) != 1 {
			t.Errorf("named %q, want %q; %d styles, want one", name, c.Name(), len(all["style"]))
		}
		if links := regexp.MustCompile(`href|url\(|@import|src=|//[^w]`).FindAllString(strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", ""), -1); links != nil {
			t.Errorf("it refers to %q", links)
		}
		inline, err := SVG(c)
		if err != nil || strings.Contains(string(inline), "<style>") {
			t.Errorf("inside a page it brings a style of its own (%v)", err)
		}
	}
}

// TestCurveIsWhereItsNumbersAre reads the path back in the units of its axes.
func TestCurveIsWhereItsNumbersAre(t *testing.T) {
	p := losses()
	data, err := File(p)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := newScale(p.X, []float64{1, 4}, plotLeft, plotRight, 6)
	var curves []string
	for _, e := range elements(t, data)["path"] {
		if class := attribute(e, "class"); strings.HasPrefix(class, "curve") && attribute(e, "d") != "" {
			curves = append(curves, class+" "+attribute(e, "d"))
		}
	}
	if len(curves) != 4 { // two in the legend
		t.Fatalf("curves %q, want two and two in the legend", curves)
	}
	pairs := regexp.MustCompile(`([ML])([\d.]+) ([\d.]+)`).FindAllStringSubmatch(curves[2], -1)
	if len(pairs) != 3 || pairs[1][1] != "M" {
		t.Fatalf("%s: want three points and a gap where there is no number", curves[2])
	}
	var drawn [][2]float64
	for _, m := range pairs {
		px, _ := strconv.ParseFloat(m[2], 64)
		py, _ := strconv.ParseFloat(m[3], 64)
		drawn = append(drawn, [2]float64{px, py})
	}
	for i, want := range []float64{1, 3, 4} {
		if at, _ := x.at(want); math.Abs(drawn[i][0]-at) > 0.06 {
			t.Errorf("epoch %g at %g, want %g", want, drawn[i][0], at)
		}
	}
	// 2 to 1.5 to 1.25: the second step is half the first one.
	if first, second := drawn[1][1]-drawn[0][1], drawn[2][1]-drawn[1][1]; !(first > 0) || math.Abs(first-2*second) > 0.3 {
		t.Errorf("heights %v, want the loss to fall by 0.5 and 0.25", drawn)
	}
	if !strings.Contains(curves[3], "s1 dashed") {
		t.Errorf("%s: colour 9 of 8, dashed, want s1 dashed", curves[3])
	}
}

func TestTableHoldsEveryPoint(t *testing.T) {
	if got := string(losses().Table().CSV()); !strings.HasPrefix(got, ",epoch,nats,from,to\n") {
		t.Errorf("head of %q", got)
	}
	rows := losses().Table().Rows
	if len(rows) != 6 || rows[1][2] != "–" || !slices.Equal(rows[4], []string{"vit", "1", "1.9", "1.8", "2.05"}) {
		t.Errorf("rows %q", rows)
	}
	bars := &Bars{Value: Share("share"), Categories: []string{"a"}, Groups: []Group{{Name: "x", Values: []float64{0.25}}, {Name: "y", Values: []float64{0.5}, Notes: []string{"2 of 4"}}}}
	if got := bars.Table().Rows[0]; !slices.Equal(got, []string{"a", "25.00%", "2 of 4"}) {
		t.Errorf("row %q", got)
	}
}

// TestTicks: they are round, inside the axis, and as precise as their distance.
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		want   string
	}{
		{Axis{}, []float64{0.9, 1.93}, "0.8 1.0 1.2 1.4 1.6 1.8 2.0"},
		{Axis{}, []float64{0.9001, 0.9155}, "0.900 0.905 0.910 0.915 0.920"},
		{Axis{Whole: true}, []float64{1, 4}, "1 2 3 4"},
		{Axis{Whole: true}, []float64{3}, "2 3 4"},
		{Axis{}, []float64{2, 2}, "1.8 1.9 2.0 2.1 2.2"},
		{Share("accuracy"), nil, "0% 20% 40% 60% 80% 100%"},
		{Axis{Percent: true}, []float64{0.255, 0.31}, "25% 26% 27% 28% 29% 30% 31%"},
		{Axis{Log: true}, []float64{1351, 2600000, -1}, "1k 10k 100k 1M"},
		{Axis{Log: true}, []float64{12352, 61451}, "20k 50k"},
		{Axis{}, []float64{math.NaN()}, "1.0 1.2 1.4 1.6 1.8 2.0"},
		{Axis{}, []float64{0, 28709}, "0 5k 10k 15k 20k 25k 30k"},
	} {
		s, ticks := newScale(c.axis, c.values, 0, 100, 6)
		var got []string
		for _, k := range ticks {
			got = append(got, k.text)
			if at, ok := s.at(k.at); !ok || at < -1e-9 || at > 100+1e-9 {
				t.Errorf("%v: tick %s lies at %g of 100", c.values, k.text, at)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v %v: ticks %q, want %q", c.axis, c.values, got, c.want)
		}
	}
}

func TestLegendStaysInTheBox(t *testing.T) {
	d := &drawing{}
	var keys []key
	for i := range 9 {
		keys = append(keys, key{strings.Repeat("long name ", i), "s0", "line"})
	}
	d.legend(keys)
	for _, m := range d.Marks {
		if m.Kind == "text" && m.X+textWidth(m.Text) > width {
			t.Errorf("%q ends at %g of %g", m.Text, m.X+textWidth(m.Text), width)
		}
	}
}

// luminance and contrast are WCAG 2.2's.
func luminance(hex string) (l float64) {
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}

// TestColoursContrast wants every colour of either theme to stand out from the paper:
// letters may have each of them.
func TestColoursContrast(t *testing.T) {
	themes := strings.Split(CSS, "--paper: #")[1:]
	if len(themes) != 3 {
		t.Fatalf("%d themes, want light, dark and print", len(themes))
	}
	for _, theme := range themes {
		paper, checked := luminance(theme[:6]), 0
		for _, m := range regexp.MustCompile(`--(ink|quiet|s\d): #([0-9a-f]{6})`).FindAllStringSubmatch(theme, -1) {
			a, b := luminance(m[2]), paper
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); !(ratio >= 4.5) {
				t.Errorf("%s #%s on #%s: contrast %.2f, want 4.5", m[1], m[2], theme[:6], ratio)
			}
			checked++
		}
		if checked != 2+Colours {
			t.Errorf("%d colours checked", checked)
		}
	}
}

func ExampleFile() {
	c := &Plot{Title: "Loss", X: Axis{Label: "epoch"}, Y: Axis{Label: "nats"}, Series: []Series{{Name: "train", Points: []Point{{X: 1, Y: 1.5}, {X: 2, Y: 1.25}}}}}
	data, err := File(c) // an SVG file
	fmt.Println(len(data) > 0, err)
	fmt.Print(string(c.Table().CSV()))
	// Output:
	// true <nil>
	// ,epoch,nats
	// train,1,1.5
	// train,2,1.25
}
