package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"

	// The formats of Decode. imaging registers gif, jpeg, png, bmp and tiff.
	"github.com/disintegration/imaging"
	_ "golang.org/x/image/webp"
)

// What Decode refuses before it allocates anything of that size: a file of a
// few bytes can announce a picture of gigabytes.
const (
	// MaxPixels is the largest width×height decoded, above any phone's 50
	// megapixels.
	MaxPixels = 64 << 20
	// MaxFileBytes is the longest image file read.
	MaxFileBytes = 256 << 20
)

// Extensions are the file names' endings, lower case, of what Decode reads.
var Extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}

// Decode reads a JPEG, PNG, GIF (first frame), BMP, WebP or TIFF image and
// turns it upright where EXIF says how the camera was held. The format is told
// by the content. Gray files give C = 1, all others C = 3.
//
// It fails on files longer than MaxFileBytes and, before decoding, on pictures
// of more than MaxPixels.
func Decode(r io.Reader) (Image, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
	if err != nil {
		return Image{}, fmt.Errorf("read image: %w", err)
	}
	if len(data) > MaxFileBytes {
		return Image{}, fmt.Errorf("image file is longer than %d bytes", MaxFileBytes)
	}
	return decodeBytes(data)
}

func decodeBytes(data []byte) (im Image, err error) {
	// The decoders are not ours; one that gives up by panicking on a broken
	// file must not take the program with it.
	defer func() {
		if p := recover(); p != nil {
			im, err = Image{}, fmt.Errorf("decode image: decoder failed: %v", p)
		}
	}()
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return Image{}, fmt.Errorf("decode image: not a jpeg, png, gif, bmp, webp or tiff file")
	}
	if err != nil {
		return Image{}, fmt.Errorf("decode image: %w", err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return Image{}, fmt.Errorf("decode image: %s of %d×%d pixels is empty", format, cfg.Width, cfg.Height)
	}
	if int64(cfg.Width)*int64(cfg.Height) > MaxPixels {
		return Image{}, fmt.Errorf("decode image: %s of %d×%d pixels exceeds the limit of %d", format, cfg.Width, cfg.Height, MaxPixels)
	}
	img, err := imaging.Decode(bytes.NewReader(data), imaging.AutoOrientation(true))
	if err != nil {
		return Image{}, fmt.Errorf("decode %s: %w", format, err)
	}
	// imaging turns images as NRGBA; a gray photograph stays gray all the same.
	if n, ok := img.(*image.NRGBA); ok && isGray(cfg.ColorModel) {
		return fromNRGBA(n, 1), nil
	}
	return FromImage(img), nil
}
