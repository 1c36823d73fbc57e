// Package duplicate tells which images are the same: by a key, which equal pixels
// share whatever the file, and by a print, which hardly differs between two
// copies of one picture.
//
// Two images are near duplicates where the cosine of their prints, or of one
// print with that of the other's mirror image, is at least 0.975. It joins
// pictures scaled, recoded, lightened, shifted by a pixel or two, or stamped with
// another mark, and keeps apart two pictures of one person.
package duplicate

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"graft/preprocess"
)

// Key is the beginning of the SHA-256 of an image's shape and pixels.
type Key [16]byte

// Content is what tells an image from others. The zero Content is that of an image
// that nobody looked at.
type Content struct {
	Key   Key
	Print Print
	// Group is a group of the user's own, such as the person or the film, whose images
	// belong together whatever they show; "" for none.
	Group string
}

// Known tells whether somebody looked at the image.
func (c Content) Known() bool { return c.Key != Key{} }

// Record is a Content as the columns of a parquet file.
type Record struct {
	Key   [16]byte `parquet:"key"`
	Print [64]byte `parquet:"print"`
	Name  string   `parquet:"group_name,dict"`
}

// Record has the print's elements as bytes, two's complement.
func (c Content) Record() Record {
	r := Record{Key: c.Key, Name: c.Group}
	for i, v := range c.Print {
		r.Print[i] = byte(v)
	}
	return r
}

// Content is that of which r is the Record.
func (r Record) Content() Content {
	c := Content{Key: r.Key, Group: r.Name}
	for i, v := range r.Print {
		c.Print[i] = int8(v)
	}
	return c
}

// Of looks at an image. A colour image whose three planes are equal has the
// content of the gray one, so that a PNG saved as RGB is its original.
func Of(im preprocess.Image) Content {
	plane := im.H * im.W
	if im.C == 3 && string(im.Pix[:plane]) == string(im.Pix[plane:2*plane]) && string(im.Pix[:plane]) == string(im.Pix[2*plane:]) {
		im = preprocess.Image{C: 1, H: im.H, W: im.W, Pix: im.Pix[:plane]}
	}
	h := sha256.New()
	var shape [24]byte
	for i, n := range []int{im.C, im.H, im.W} {
		binary.LittleEndian.PutUint64(shape[8*i:], uint64(n))
	}
	h.Write(shape[:])
	h.Write(im.Pix)
	return Content{Key: Key(h.Sum(nil)[:len(Key{})]), Print: printOf(im.Gray())}
}

// side is the width and height of the thumbnail that a print is made of, and low
// the number of its frequencies that count, from 0, in either direction.
const (
	side = 16
	low  = 8
)

// Print is the low frequencies of an image's luma, scaled so that the largest is
// ±127: element 8·v+u is the coefficient of the two-dimensional discrete cosine
// transform (type II, orthonormal) of the 16×16 thumbnail with u half waves
// across and v down. Element 0, the brightness, is 0. All is 0 for an image of
// hardly any contrast, which is like no other. It is computed in integers, the
// same on every machine.
type Print [low * low]int8

// flat is the range of a thumbnail's luma, of 256 levels, below which it has no
// print: what is left there is noise.
const flat = 8

// level is the unit of a thumbnail: 1/256 of a level of gray.
const level = 256

// waves are the transform's rows, [low][side], scaled by 4096.
var waves = func() (w [low][side]int64) {
	for k := range w {
		for n := range w[k] {
			v := math.Cos(math.Pi * float64(2*n+1) * float64(k) / (2 * side))
			if k == 0 {
				v = math.Sqrt2 / 2
			}
			w[k][n] = int64(math.Round(4096 * v))
		}
	}
	return w
}()

func printOf(gray preprocess.Image) (p Print) {
	t, ok := thumbnail(gray)
	if !ok {
		return p
	}
	var across [side][low]int64
	for y := range t {
		for u := range low {
			for x, v := range t[y] {
				across[y][u] += waves[u][x] * v
			}
		}
	}
	var c [low * low]int64
	var most int64
	for v := range low {
		for u := range low {
			for y := range side {
				c[low*v+u] += waves[v][y] * (across[y][u] >> 8)
			}
			if v+u > 0 {
				most = max(most, c[low*v+u], -c[low*v+u])
			}
		}
	}
	for i, v := range c[1:] {
		p[i+1] = int8(rounded(127*v, most))
	}
	return p
}

// rounded is a/b, b above 0, halves away from 0.
func rounded(a, b int64) int64 {
	if a < 0 {
		return -((-2*a + b) / (2 * b))
	}
	return (2*a + b) / (2 * b)
}

// thumbnail is the mean of each cell of a 16×16 grid, cells of less than a pixel
// being that pixel; false where there is no contrast.
func thumbnail(im preprocess.Image) (t [side][side]int64, ok bool) {
	if im.H == 0 || im.W == 0 {
		return t, false
	}
	least, most := int64(math.MaxInt64), int64(0)
	for r := range side {
		y0, y1 := r*im.H/side, ((r+1)*im.H+side-1)/side
		for c := range side {
			x0, x1 := c*im.W/side, ((c+1)*im.W+side-1)/side
			sum := int64(0)
			for y := y0; y < y1; y++ {
				for _, v := range im.Pix[y*im.W+x0 : y*im.W+x1] {
					sum += int64(v)
				}
			}
			t[r][c] = sum * level / int64((y1-y0)*(x1-x0))
			least, most = min(least, t[r][c]), max(most, t[r][c])
		}
	}
	return t, most-least >= flat*level
}

// Mirror is the print of the image turned left to right.
func (p Print) Mirror() Print {
	for i := 1; i < len(p); i += 2 { // an odd number of half waves across
		p[i] = -p[i]
	}
	return p
}

// dots are p·q and p·q.Mirror(), each at most 64·127².
func (p *Print) dots(q *Print) (plain, mirrored int64) {
	var even, odd int32 // numbers of half waves across
	for i := 0; i < len(p); i += 2 {
		even += int32(p[i]) * int32(q[i])
		odd += int32(p[i+1]) * int32(q[i+1])
	}
	return int64(even + odd), int64(even - odd)
}

func (p *Print) dot(q *Print) int64 {
	d, _ := p.dots(q)
	return d
}

// Cosine of two prints, from −1 to 1; 0 where an image has none.
func (p Print) Cosine(q Print) float64 {
	n := float64(p.dot(&p)) * float64(q.dot(&q))
	if n == 0 {
		return 0
	}
	return float64(p.dot(&q)) / math.Sqrt(n)
}

// Near is the least cosine, in thousandths, of the prints of near duplicates.
const Near = 975
