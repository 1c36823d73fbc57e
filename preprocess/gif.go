package preprocess

import (
	"bytes"
	"image"
	"image/gif"
)

// decodeGIF gives the first frame on the whole screen: around a smaller frame
// lies the transparent colour, else the palette's first, as with PIL.
func decodeGIF(cfg image.Config, data []byte) (Image, error) {
	fill := makeOpaque(data)
	img, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return Image{}, err
	}
	screen := image.Rect(0, 0, cfg.Width, cfg.Height)
	if p, ok := img.(*image.Paletted); ok && p.Rect != screen {
		whole := image.NewPaletted(screen, p.Palette)
		for i := range whole.Pix {
			whole.Pix[i] = fill
		}
		for y := p.Rect.Min.Y; y < p.Rect.Max.Y; y++ {
			copy(whole.Pix[whole.PixOffset(p.Rect.Min.X, y):], p.Pix[p.PixOffset(p.Rect.Min.X, y):][:p.Rect.Dx()])
		}
		img = whole
	}
	return FromImage(img), nil
}

// makeOpaque takes the first frame's transparency away and returns the colour
// that was transparent, or 0: Go's decoder would replace that colour by black.
func makeOpaque(data []byte) (transparent uint8) {
	const screen, extension, control = 13, 0x21, 0xf9
	if len(data) < screen {
		return 0
	}
	p := screen
	if flags := data[10]; flags&0x80 != 0 {
		p += 3 << (flags&7 + 1) // the global palette
	}
	for p+8 <= len(data) && data[p] == extension {
		if data[p+1] == control && data[p+2] == 4 && data[p+3]&1 != 0 {
			data[p+3] &^= 1
			transparent = data[p+6]
		}
		p += 2
		for p < len(data) && data[p] != 0 { // the extension's blocks
			p += 1 + int(data[p])
		}
		p++
	}
	return transparent
}
