package show

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"graft/report/chart"
	"graft/report/raster"
)

// answers is how many classes are shown at most.
const answers = 20

// ranked are the classes, the most probable first.
func (l *look) ranked() []int {
	order := make([]int, len(l.probs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.probs[b], l.probs[a]) })
	return order
}

// probabilities are bars, in the classes' order where there are few of them.
func (l *look) probabilities() Figure {
	order := l.ranked()
	title := "Probabilities"
	if len(order) > answers {
		order, title = order[:answers], fmt.Sprintf("Probabilities, the first %d of %d", answers, len(order))
	} else {
		slices.Sort(order)
	}
	bars := &chart.Bars{Title: title, Value: chart.Axis{Label: "probability", Percent: true}, Groups: []chart.Group{{Name: "probability"}}}
	for _, i := range order {
		bars.Categories = append(bars.Categories, l.label(i))
		bars.Groups[0].Values = append(bars.Groups[0].Values, float64(l.probs[i]))
	}
	return Figure{Name: "probabilities", Chart: bars}
}

// pointed shows the evidence for the class over the photograph, and as it is.
func (l *look) pointed(photo image.Image, a raster.Array) []Figure {
	_, high := raster.Range(a)
	method := "Grad-CAM (Selvaraju et al. 2017) of the last layer of maps"
	if l.layer.tokens {
		method = "Grad-CAM (Selvaraju et al. 2017) of the patches' tokens as the last block's attention reads them"
	}
	lines := []string{fmt.Sprintf("gradient × activation: %s, %s", method, name(l.layer.node)), fmt.Sprintf("%s: %.1f%%", l.label(l.class), 100*l.probs[l.class])}
	if high == 0 {
		lines = append(lines, "nothing here speaks for the class: all of it is 0")
	}
	if l.head != nil && len(l.head.taps) > 1 {
		lines = append(lines, "what the head reads before that layer is not in it")
	}
	if len(l.views) > 1 || l.batch > 1 {
		lines = append(lines, "the answer is the mean over the image and its mirror image; this is of the image")
	}
	return []Figure{
		{Name: "evidence", Sheet: &raster.Sheet{Title: "What speaks for " + l.label(l.class), Lines: lines, Scale: raster.Between(raster.Viridis, 0, high),
			Tiles: l.over(photo, shares(a), a, 0, high)}},
		{Name: "evidence-photo", Photo: raster.Overlay(photo, shares(a), l.part)},
	}
}

// taps shows what each tap adds to each class's logit, as a table.
func (l *look) taps() Figure {
	h := l.head
	order := l.ranked()[:min(len(l.probs), answers)]
	if len(l.probs) <= answers {
		slices.Sort(order)
	}
	sheet := &raster.Sheet{Title: "What each tap adds to the logits", Beside: len(order), Down: append(slices.Clone(h.taps), "the rest", "logit")}
	most := 0.0
	for _, i := range order {
		sheet.Across = append(sheet.Across, l.label(i))
		for _, v := range l.shares[i] {
			most = max(most, math.Abs(float64(v)))
		}
	}
	for row := range len(h.taps) + 2 {
		for _, i := range order {
			v := l.scores[i]
			if row <= len(h.taps) {
				v = l.shares[i][row]
			}
			c := color.NRGBA{255, 255, 255, 255}
			if row < len(h.taps)+1 {
				c = raster.Diverging.At(float64(v)/(2*max(most, 1e-12)) + 0.5)
			}
			im := image.NewNRGBA(image.Rect(0, 0, 1, 1))
			im.SetNRGBA(0, 0, c)
			sheet.Tiles = append(sheet.Tiles, raster.Tile{Image: im, W: 64, H: 20, Text: signed(float64(v))})
		}
	}
	sheet.Lines = []string{"gradient × input, exact: the head is linear, and the rest is its bias"}
	if !h.linear() {
		sheet.Lines = []string{"gradient × input: a first approximation, as the head has a hidden layer; the rest is what it leaves out"}
	}
	sheet.Lines = append(sheet.Lines, "only differences between classes count: what all have alike changes no probability")
	sheet.Scale = raster.Between(raster.Diverging, -most, most)
	return Figure{Name: "taps", Sheet: sheet}
}

// signed is a number in two decimals.
func signed(v float64) string {
	if v < 0 {
		return fmt.Sprintf("−%.2f", -v)
	}
	return fmt.Sprintf("%.2f", v)
}
