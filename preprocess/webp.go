package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"iter"
	"slices"

	"golang.org/x/image/webp"
)

// riffChunks walks over a sequence of RIFF chunks; it ends at the first that
// is cut short.
func riffChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(data) >= 8 {
			n := int64(binary.LittleEndian.Uint32(data[4:]))
			if n > int64(len(data)-8) || !yield(string(data[:4]), data[8:8+n]) {
				return
			}
			data = data[min(8+n+n&1, int64(len(data))):]
		}
	}
}

// webpAnimation is an animation's first frame.
type webpAnimation struct {
	at   image.Point
	w, h int
	file []byte // the frame as a WebP file of its own
}

// webpFrame is the first frame of an animation, or nil: Go's decoder knows
// still pictures only.
func webpFrame(data []byte) *webpAnimation {
	const head = 16
	for id, body := range riffChunks(data[12:]) {
		if id != "ANMF" || len(body) < head {
			continue
		}
		u24 := func(p int) int { return int(body[p]) | int(body[p+1])<<8 | int(body[p+2])<<16 }
		f := &webpAnimation{at: image.Pt(2*u24(0), 2*u24(3)), w: u24(6) + 1, h: u24(9) + 1}
		extended := make([]byte, 10)
		for id := range riffChunks(body[head:]) {
			if id == "ALPH" {
				extended[0] = 1 << 4
			}
		}
		copy(extended[4:], body[6:12]) // width and height, each less one
		f.file = slices.Concat([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"), extended, body[head:])
		binary.LittleEndian.PutUint32(f.file[4:], uint32(len(f.file)-8))
		return f
	}
	return nil
}

// decode lays the frame on a black canvas of the animation's size.
func (f *webpAnimation) decode(canvas image.Config) (Image, error) {
	if f.at.X+f.w > canvas.Width || f.at.Y+f.h > canvas.Height {
		return Image{}, errors.New("first frame lies outside the animation")
	}
	img, err := webp.Decode(bytes.NewReader(f.file))
	if err != nil {
		return Image{}, err
	}
	frame := fromWebP(img)
	if frame.W == canvas.Width && frame.H == canvas.Height {
		return frame, nil
	}
	out := New(frame.C, canvas.Height, canvas.Width)
	for r := range frame.C * frame.H {
		at := (r/frame.H*out.H+r%frame.H+f.at.Y)*out.W + f.at.X
		copy(out.Pix[at:], frame.Pix[r*frame.W:][:frame.W])
	}
	return out, nil
}

// fromWebP is FromImage for WebP: what Go's decoder calls YCbCr is not JPEG's
// there but video's, with black at 16 and white at 235.
func fromWebP(img image.Image) Image {
	switch img := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(img, 1, videoRow)
	case *image.NYCbCrA:
		return fromYCbCr(&img.YCbCr, 1, videoRow)
	}
	return FromImage(img)
}
