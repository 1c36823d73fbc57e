package show

import (
	"fmt"
	"image"

	"graft/graph"
	"graft/preprocess"
	"graft/report/raster"
)

// Sizes of tiles, in points.
const (
	large   = 400 // photographs
	middle  = 112 // maps
	small   = 56  // one of many
	channel = 64  // maps of a layer that are drawn
)

// zoom is by how much an array is enlarged to about a size: a whole number, or of larger ones 1.
func zoom(h, w, size int) int { return max(1, size/max(h, w)) }

// tile is an array, enlarged to about a size.
func tile(a raster.Array, m raster.Map, low, high float64, size int, caption string) raster.Tile {
	z := zoom(a.H, a.W, size)
	return raster.Tile{Image: a.Paint(m, low, high), W: z * a.W, H: z * a.H, Caption: caption}
}

// over are two tiles: an array of a part of the photograph, laid over it by its shares, and by itself.
func (l *look) over(photo image.Image, share, a raster.Array, low, high float64) []raster.Tile {
	im, part := scaled(photo, l.part)
	h := im.Bounds().Dy()
	return []raster.Tile{{Image: raster.Overlay(im, share, part), Caption: "over the photograph"},
		{Image: a.Paint(raster.Viridis, low, high), W: h * a.W / a.H, H: h, Caption: fmt.Sprintf("the numbers, %d×%d", a.W, a.H)}}
}

// photo is an image as a tile of a size, in its own proportions.
func photo(im image.Image, caption string) raster.Tile {
	w, h := fitted(im.Bounds().Dx(), im.Bounds().Dy(), large)
	return raster.Tile{Image: im, W: w, H: h, Smooth: w < im.Bounds().Dx(), Caption: caption}
}

// fitted are width and height brought to a size: shrunk, or enlarged by a whole number.
func fitted(w, h, size int) (int, int) {
	if most := max(w, h); most > size {
		return max(1, w*size/most), max(1, h*size/most)
	}
	z := zoom(h, w, size)
	return z * w, z * h
}

// scaled brings an image and a part of it to the size of a tile, so that what is drawn over it is as fine as the screen.
func scaled(im image.Image, part raster.Window) (image.Image, raster.Window) {
	w, h := fitted(im.Bounds().Dx(), im.Bounds().Dy(), large)
	unit := float64(w) / float64(im.Bounds().Dx())
	return raster.Enlarge(im, w, h, w < im.Bounds().Dx()), raster.Window{X: part.X * unit, Y: part.Y * unit, W: part.W * unit, H: part.H * unit}
}

// plane is channel c of maps [N,C,H,W], of the first image.
func plane(s graph.Shape, v []float32, c int) raster.Array {
	size := s[2] * s[3]
	return raster.Array{H: s[2], W: s[3], V: v[c*size : (c+1)*size]}
}

// asImage is the image as a network reads it, gray or in colours, from the least of its numbers to the greatest.
func asImage(s graph.Shape, v []float32) (im image.Image, low, high float64) {
	low, high = raster.Range(raster.Array{H: 1, W: len(v), V: v})
	if s[1] != 3 {
		return plane(s, v, 0).Paint(raster.Gray, low, high), low, high
	}
	var planes [3]raster.Array
	for c := range planes {
		planes[c] = plane(s, v, c)
		unit := make([]float32, len(planes[c].V))
		for i, x := range planes[c].V {
			unit[i] = float32((float64(x) - low) / max(high-low, 1e-12))
		}
		planes[c].V = unit
	}
	return raster.Planes(planes[0], planes[1], planes[2]), low, high
}

// theImage shows the file and what the network reads of it.
func (l *look) theImage(im preprocess.Image, file string) Figure {
	s := l.seen.Shape()
	read, low, high := asImage(s, l.values[l.seen][:s[1]*s[2]*s[3]])
	return Figure{Name: "image", Sheet: &raster.Sheet{Title: "The image",
		Lines: []string{fmt.Sprintf("%s, %d×%d pixels", file, im.W, im.H),
			fmt.Sprintf("the network reads %d×%d×%d numbers from %s to %s", s[1], s[2], s[3], raster.Number(low), raster.Number(high))},
		Tiles: []raster.Tile{photo(im.ToImage(), "as it is"), photo(read, fmt.Sprintf("as the network reads it, %d×%d", s[3], s[2]))}}}
}

// colours picks the map and range of a layer's values: for those on both sides of zero one that tells the sides apart.
func colours(arrays []raster.Array) (raster.Map, float64, float64) {
	low, high := raster.Most(tails, arrays...)
	if low < -0.1*high {
		low, high = raster.Even(low, high)
		return raster.Diverging, low, high
	}
	return raster.Viridis, low, high
}

// tails is the part of the numbers at either end that have the end's colour, and what is said of it.
const (
	tails    = 0.002
	tailsSay = "; of the numbers 2 of 1000 lie beyond either end of the colours"
)

// beside is how many tiles of a size stand side by side.
func beside(n, size int) int {
	across := max(1, 960/(size+4))
	if n <= across {
		return n
	}
	return max(1, across&^3) // a multiple of 4
}

// few is the first numbers of n, and how to say so.
func few(n, most int) (int, string) {
	if n <= most {
		return n, fmt.Sprint(n)
	}
	return most, fmt.Sprintf("the first %d of %d", most, n)
}
