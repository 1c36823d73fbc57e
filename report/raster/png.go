package raster

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// density is the pixels of a point.
const density = 2

var ink = color.NRGBA{27, 27, 31, 255}

// faceOf is a typeface in a size.
type faceOf struct {
	bold bool
	size float64
}

// faces are the typefaces in use; a face must not be used by two goroutines.
var faces = struct {
	sync.Mutex
	made map[faceOf]font.Face
}{made: map[faceOf]font.Face{}}

// withFace lends the face of a size in points.
func withFace(size float64, bold bool, use func(font.Face)) {
	faces.Lock()
	defer faces.Unlock()
	key := faceOf{bold, size}
	if faces.made[key] == nil {
		data := goregular.TTF
		if bold {
			data = gobold.TTF
		}
		f, err := opentype.Parse(data)
		if err == nil {
			faces.made[key], err = opentype.NewFace(f, &opentype.FaceOptions{Size: size * density, DPI: 72, Hinting: font.HintingVertical})
		}
		if err != nil {
			panic("raster: the font that is built in: " + err.Error())
		}
	}
	use(faces.made[key])
}

// widest is the width of a line in points.
func widest(text string, size float64, bold bool) (width float64) {
	withFace(size, bold, func(f font.Face) { width = float64(font.MeasureString(f, text)) / 64 / density })
	return width
}

// PNG is the sheet as a PNG file, two pixels to a point.
func (s *Sheet) PNG() ([]byte, error) {
	pieces, width, height := s.layout(true)
	out := image.NewNRGBA(image.Rect(0, 0, int(width*density), int(height*density)))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	for _, p := range pieces {
		if p.image != nil {
			p.paint(out)
		} else {
			p.write(out)
		}
	}
	return PNG(out)
}

// PNG is an image as a PNG file.
func PNG(im image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, im)
	return b.Bytes(), err
}

func (p piece) paint(out *image.NRGBA) {
	at := image.Rect(int(p.x*density), int(p.y*density), int((p.x+p.w)*density), int((p.y+p.h)*density))
	draw.Draw(out, at, Enlarge(p.image, at.Dx(), at.Dy(), p.smooth), image.Point{}, draw.Src)
}

func (p piece) write(out *image.NRGBA) {
	withFace(p.size, p.bold, func(f font.Face) {
		x := p.x * density
		switch p.anchor {
		case "middle":
			x -= float64(font.MeasureString(f, p.text)) / 64 / 2
		case "end":
			x -= float64(font.MeasureString(f, p.text)) / 64
		}
		colour := p.colour
		if colour.A == 0 {
			colour = ink
		}
		d := font.Drawer{Dst: out, Src: image.NewUniform(colour), Face: f, Dot: fixed.P(int(x), int(p.y*density))}
		d.DrawString(p.text)
	})
}
