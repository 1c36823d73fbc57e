package show

import (
	"fmt"

	"graft/report/raster"
)

// layers shows the maps after each convolution and pool, and before those of the first ones their filters. Of more than
// limit layers some are left out, evenly; 0 leaves out none.
func (l *look) layers(limit int) (list []Figure) {
	n := len(l.convolutions)
	for i, s := range l.convolutions {
		if limit > 0 && n > limit && i*(limit-1)/(n-1) == (i-1)*(limit-1)/(n-1) && i > 0 && i < n-1 {
			continue
		}
		place := fmt.Sprintf("layer %d of %d", i+1, n)
		if f, ok := l.filters(s, place); ok {
			list = append(list, f)
		}
		list = append(list, l.maps(s, place))
	}
	return list
}

// maps shows a layer's channels in one scale.
func (l *look) maps(s stage, place string) Figure {
	shape := s.node.Shape()
	n, count := few(shape[1], channel)
	var maps []raster.Array
	for c := range n {
		maps = append(maps, plane(shape, l.values[s.node], c))
	}
	m, low, high := colours(maps)
	sheet := &raster.Sheet{Title: s.name, Scale: raster.Between(m, low, high), Lines: []string{fmt.Sprintf("%s, %s: %s maps of %d×%d%s", s.what, place, count, shape[3], shape[2], tailsSay)}}
	for c, a := range maps {
		sheet.Tiles = append(sheet.Tiles, tile(a, m, low, high, middle, fmt.Sprint(c)))
	}
	w := sheet.Tiles[0].W
	sheet.Beside = beside(n, w)
	return Figure{Name: s.name, Sheet: sheet}
}

// kernels is how many of them are drawn at most; those of one element are not.
const kernels = 256

// filters shows a convolution's kernels: of three colours each filter as one, of others a row for each filter.
func (l *look) filters(s stage, place string) (Figure, bool) {
	if s.conv == nil {
		return Figure{}, false
	}
	weight := s.conv.Inputs()[1]
	shape, v := weight.Shape(), l.values[weight]
	if v == nil || shape[2]*shape[3] == 1 || shape[1] != 3 && shape[0]*shape[1] > kernels {
		return Figure{}, false
	}
	sheet := &raster.Sheet{Title: s.name + ": filters"}
	size := shape[1] * shape[2] * shape[3]
	n, count := few(shape[0], channel)
	if shape[1] == 3 {
		for o := range n {
			im, _, _ := asImage([]int{1, 3, shape[2], shape[3]}, v[o*size:(o+1)*size])
			z := zoom(shape[2], shape[3], small)
			sheet.Tiles = append(sheet.Tiles, raster.Tile{Image: im, W: z * shape[3], H: z * shape[2]})
		}
		sheet.Beside = beside(n, sheet.Tiles[0].W)
		sheet.Lines = []string{fmt.Sprintf("of %s: %s of 3×%d×%d, in red, green and blue, each from its least number to its greatest", place, count, shape[3], shape[2])}
		return Figure{Name: s.name + "-filters", Sheet: sheet}, true
	}
	var all []raster.Array
	for i := range shape[0] * shape[1] {
		all = append(all, plane(shape, v, i))
	}
	low, high := raster.Even(raster.Range(all...))
	for i, a := range all {
		sheet.Tiles = append(sheet.Tiles, tile(a, raster.Diverging, low, high, small, ""))
		if i%shape[1] == 0 && shape[1] > 1 {
			sheet.Down = append(sheet.Down, fmt.Sprint(i/shape[1]))
		}
	}
	sheet.Lines = []string{fmt.Sprintf("of %s: %d of %d×%d×%d", place, shape[0], shape[1], shape[3], shape[2])}
	if shape[1] > 1 {
		sheet.Beside = shape[1]
		sheet.Lines[0] += ", a row for each, a column for each map that it reads"
	}
	sheet.Scale = raster.Between(raster.Diverging, low, high)
	return Figure{Name: s.name + "-filters", Sheet: sheet}, true
}
