package report

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"

	"graft/internal/parallel"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

// Face is an image with what is said of it.
type Face struct {
	Index   int    `json:"index"` // position in the dataset
	ID      string `json:"id"`
	Caption string `json:"caption"` // what stands under it
	Name    string `json:"-"`       // for who cannot see it

	Place `json:"-"`
}

// Place is where an image is in a sheet.
type Place struct{ X, Y int }

// Sizes of the images inside the page: of those in galleries, and of those that the map
// shows under the pointer. A sheet has so many in a row.
const (
	faceSide  = 48 // FER2013's own
	spotSide  = 40
	sheetSide = 40
)

// JPEG of faces: at a quality where a face of 48×48 takes about 1 kB and hardly differs
// from the 2 kB of a PNG. Tiles are multiples of 8, so that none bleeds into the next.
const (
	faceQuality = 85
	spotQuality = 65
)

// sheet is images side by side in one picture, each of them once.
type sheet struct {
	side, quality int
	place         map[int]int // by index in the dataset
	order         []int
	picture       []byte // JPEG
	rows          int
}

// add makes room for an image and tells where.
func (s *sheet) add(index int) Place {
	at, known := s.place[index]
	if !known {
		at = len(s.order)
		s.place[index], s.order = at, append(s.order, index)
	}
	return Place{at % sheetSide, at / sheetSide}
}

// faces are the pictures of a report.
type faces struct{ large, small sheet }

func newFaces() *faces {
	return &faces{sheet{side: faceSide, quality: faceQuality, place: map[int]int{}}, sheet{side: spotSide, quality: spotQuality, place: map[int]int{}}}
}

// draw decodes the images of both sheets.
func (f *faces) draw(ctx context.Context, d *dataset.Dataset, progress func(done, total int64)) error {
	for _, s := range []*sheet{&f.large, &f.small} {
		if err := s.draw(ctx, d, progress); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheet) draw(ctx context.Context, d *dataset.Dataset, progress func(done, total int64)) error {
	if len(s.order) == 0 {
		return nil
	}
	tiles := make([]preprocess.Image, len(s.order))
	err := parallel.For(ctx, len(tiles), progress, func(i int) error {
		im, err := d.Image(ctx, s.order[i])
		if err == nil {
			tiles[i] = preprocess.Square(im, s.side, 1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("faces of the report: %w", err)
	}
	s.rows = (len(tiles) + sheetSide - 1) / sheetSide
	bounds := image.Rect(0, 0, min(len(tiles), sheetSide)*s.side, s.rows*s.side)
	var whole draw.Image = image.NewGray(bounds)
	for _, t := range tiles {
		if t.C != 1 {
			whole = image.NewRGBA(bounds)
			break
		}
	}
	for i, t := range tiles {
		at := image.Pt(i%sheetSide*s.side, i/sheetSide*s.side)
		draw.Draw(whole, image.Rectangle{at, at.Add(image.Pt(s.side, s.side))}, t.ToImage(), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	err = jpeg.Encode(&b, whole, &jpeg.Options{Quality: s.quality})
	s.picture = b.Bytes()
	return err
}

// columns of the sheet, which styles need.
func (s *sheet) columns() int { return min(len(s.order), sheetSide) }
