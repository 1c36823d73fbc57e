package show

import (
	"fmt"
	"image"
	"math"

	"graft/graph"
	"graft/report/raster"
)

// transformer shows the way of an image's patches.
func (l *look) transformer(photo image.Image) (list []Figure) {
	if len(l.attention) == 0 {
		return nil
	}
	list = append(list, l.cutUp())
	list = append(list, l.embedded()...)
	list = append(list, l.attends())
	if l.tokens <= 36 {
		list = append(list, l.matrices())
	}
	if len(l.pooling) > 0 {
		list = append(list, l.pools())
	}
	if r := l.rollout(); r != nil {
		list = append(list, l.rolled(photo, r))
	}
	if len(l.exits) > 0 {
		list = append(list, l.norms())
	}
	return list
}

// cutUp shows the patches side by side.
func (l *look) cutUp() Figure {
	s := l.seen.Shape()
	im, _, _ := asImage(s, l.values[l.seen][:s[1]*s[2]*s[3]])
	h, w := s[2]/l.grid[0], s[3]/l.grid[1]
	z := max(1, 560/max(s[2], s[3]))
	sheet := &raster.Sheet{Title: "The image in patches", Beside: l.grid[1], Lines: []string{fmt.Sprintf("%d×%d patches of %d×%d pixels, each of which becomes a token", l.grid[1], l.grid[0], w, h)}}
	for i := range l.grid[0] * l.grid[1] {
		x, y := i%l.grid[1]*w, i/l.grid[1]*h
		sub := im.(*image.NRGBA).SubImage(image.Rect(x, y, x+w, y+h))
		sheet.Tiles = append(sheet.Tiles, raster.Tile{Image: sub, W: z * w, H: z * h})
	}
	return Figure{Name: "patches", Sheet: sheet}
}

// embedded shows the tokens that the first block begins with, and what they are sums of.
func (l *look) embedded() (list []Figure) {
	if c := l.g.Lookup("C"); l.values[c] != nil {
		list = append(list, l.projection(c))
	}
	patches, positions, sum := l.embedding()
	if sum == nil {
		return list
	}
	rows, width := l.rows(sum), sum.Dim(-1)
	sheet := &raster.Sheet{Title: "Embedding", Beside: 1, Lines: []string{"a row for each token, from the first patch to the last, a column for each of its numbers" + tailsSay}}
	if rows == l.tokens && l.prefix > 0 {
		sheet.Lines = append(sheet.Lines, fmt.Sprintf("the first %s: the class token%s", numbered(l.prefix, "row"), map[bool]string{true: " and registers"}[l.prefix > 1]))
	}
	var arrays []raster.Array
	for _, n := range []*graph.Node{patches, positions, sum} {
		arrays = append(arrays, raster.Array{H: rows, W: width, V: l.values[n][:rows*width]})
	}
	low, high := raster.Even(raster.Most(tails, arrays...))
	size := 720
	if 2*rows > width { // as high as wide, or nearly
		sheet.Beside, size = 3, 400
	}
	for i, what := range []string{"patches", "positions", "their sum"} {
		t := tile(arrays[i], raster.Diverging, low, high, size, fmt.Sprintf("%s: %d×%d", what, arrays[i].H, width))
		sheet.Tiles = append(sheet.Tiles, t)
	}
	sheet.Scale = raster.Between(raster.Diverging, low, high)
	return append(list, Figure{Name: "embedding", Sheet: sheet}, l.similarity(arrays[1]))
}

// projection shows what each number of a token is the product of a patch with.
func (l *look) projection(c *graph.Node) Figure {
	s, side := l.seen.Shape(), 0
	side = int(math.Round(math.Sqrt(float64(c.Dim(0) / s[1]))))
	var filters []raster.Array
	n, count := few(c.Dim(1), channel)
	for d := range n {
		a := raster.Array{H: side, W: side, V: make([]float32, side*side)}
		for i := range a.V {
			a.V[i] = l.values[c][i*c.Dim(1)+d]
		}
		filters = append(filters, a)
	}
	low, high := raster.Even(raster.Range(filters...))
	sheet := &raster.Sheet{Title: "Patch embedding: filters", Scale: raster.Between(raster.Diverging, low, high),
		Lines: []string{fmt.Sprintf("%s numbers of a token, each the sum of a patch's %d×%d pixels times these", count, side, side)}}
	for _, a := range filters {
		sheet.Tiles = append(sheet.Tiles, tile(a, raster.Diverging, low, high, middle, ""))
	}
	sheet.Beside = beside(n, sheet.Tiles[0].W)
	return Figure{Name: "patch-filters", Sheet: sheet}
}

// similarity shows the cosine between the position embedding of each patch and those of all.
func (l *look) similarity(positions raster.Array) Figure {
	n := l.grid[0] * l.grid[1]
	rows := make([][]float32, n)
	for i := range rows {
		at := positions.H - n + i
		rows[i] = positions.V[at*positions.W : (at+1)*positions.W]
	}
	sheet := &raster.Sheet{Title: "Similarity of position embeddings", Beside: l.grid[1], Scale: raster.Between(raster.Viridis, -1, 1),
		Lines: []string{"a tile for each patch, at its place: the cosine between its position embedding and those of all patches"}}
	for i := range rows {
		a := raster.Array{H: l.grid[0], W: l.grid[1], V: make([]float32, n)}
		for j := range rows {
			a.V[j] = float32(cosine(rows[i], rows[j]))
		}
		sheet.Tiles = append(sheet.Tiles, tile(a, raster.Viridis, -1, 1, max(640/l.grid[1], l.grid[1]), ""))
	}
	return Figure{Name: "positions", Sheet: sheet}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

func numbered(n int, word string) string {
	if n == 1 {
		return word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
