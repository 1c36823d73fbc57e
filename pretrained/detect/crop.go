package detect

import (
	"math"

	"graft/preprocess"
)

// Side is that of the images Crop makes, pixels: FER2013's.
const Side = 48

// Crop cuts a face out of its upright photograph as FER2013's are cut: a square as high as the box around the box's centre,
// gray, of 48×48 pixels. That no margin is added was measured (scripts/check_faces.py): in FER2013's own images YuNet's
// box is as high as the image in the median, 0.8 as wide, and its centre is the image's. What of the square lies outside
// the photograph repeats the photograph's edge.
func Crop(im preprocess.Image, f Face) preprocess.Image {
	side := square(im, f)
	x, y := float64(f.X+f.Width/2)-float64(side)/2, float64(f.Y+f.Height/2)-float64(side)/2
	return preprocess.Square(part(im, int(math.Round(x)), int(math.Round(y)), side), Side, 1).Gray()
}

// square is the side of a face's square. A box beyond all measure, which the network may give, is held to one that costs no
// more than a few copies of the photograph.
func square(im preprocess.Image, f Face) int {
	most := 2 * math.Sqrt(float64(im.H)*float64(im.W))
	return int(max(1, math.Round(min(float64(f.Height), most))))
}

// part is the square of im whose upper left corner is x, y; beyond the edges they are repeated.
func part(im preprocess.Image, x, y, side int) preprocess.Image {
	out := preprocess.New(im.C, side, side)
	for r := range im.C * side {
		row := im.Pix[(r/side*im.H+inside(y+r%side, im.H))*im.W:][:im.W]
		to := out.Pix[r*side:][:side]
		for i := range to {
			to[i] = row[inside(x+i, im.W)]
		}
	}
	return out
}

func inside(i, n int) int { return max(0, min(i, n-1)) }
