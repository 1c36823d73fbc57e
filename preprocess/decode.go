package preprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/png" // a format of Decode
	"io"
	"sync"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"

	"graft/internal/sniff"
)

// What Decode refuses before it allocates anything of that size: a file of a
// few bytes can announce a picture of gigabytes.
const (
	// MaxPixels is the largest width×height decoded: the count from which PIL
	// warns of a decompression bomb (Image.MAX_IMAGE_PIXELS, a quarter of a GiB
	// of RGB; it refuses at twice that). A progressive JPEG of that size takes
	// 1.6 GB while it is decoded. It is also what all calls of Decode together
	// have under way at a time, so that more cores need no more memory.
	MaxPixels = 89_478_485
	// MaxFileBytes is the longest image file read.
	MaxFileBytes = 256 << 20
)

// Extensions are the file names' endings, lower case, of what Decode reads.
var Extensions = []string{".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}

// underWay counts the pixels that are being decoded.
var underWay = semaphore.NewWeighted(MaxPixels)

// buffers are of files being decoded. The rare large one is not kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxKeptBuffer = 4 << 20

// Decode reads a JPEG, PNG, GIF, BMP, WebP or TIFF image, told by its content,
// the first picture of those that hold several, and turns it upright where EXIF
// says how the camera was held. Gray files give C = 1, all others C = 3.
//
// Colours are those of PIL's convert("RGB"): transparency is dropped, not
// blended; CMYK is converted without a colour profile; 16-bit samples keep
// their upper byte (16-bit gray too, which PIL clips to white).
//
// All faults of the file are a *BadImageError: a file longer than MaxFileBytes
// and, before decoding, a picture of more than MaxPixels; one that is cut short,
// because half a picture gives the features of another; and valid kinds that
// the decoders lack, such as arithmetic JPEG, RLE BMP or CMYK TIFF. Other errors
// are r's, or ctx's, which ends the wait for other pictures.
func Decode(ctx context.Context, r io.Reader) (Image, error) { return DecodeUpTo(ctx, r, MaxPixels) }

// ErrTooLarge lies below the BadImageError of a picture, or file, that is larger than it may be.
var ErrTooLarge = errors.New("too large")

// DecodeUpTo is Decode of pictures of so many pixels at most, MaxPixels or fewer.
func DecodeUpTo(ctx context.Context, r io.Reader, pixels int64) (Image, error) {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxKeptBuffer {
			b.Reset()
			buffers.Put(b)
		}
	}()
	n, err := b.ReadFrom(io.LimitReader(r, FormatBytes))
	if err == nil && n > 0 {
		// What is no image, however long, is not read any further.
		if !LooksLikeImage(b.Bytes()) {
			return Image{}, noImage(image.ErrFormat, b.Bytes())
		}
		var rest int64
		rest, err = b.ReadFrom(io.LimitReader(r, MaxFileBytes+1-n))
		n += rest
	}
	switch {
	case err != nil:
		return Image{}, fmt.Errorf("read image: %w", err)
	case n > MaxFileBytes:
		return Image{}, badImage(ErrTooLarge, "image file is longer than %d bytes", MaxFileBytes)
	case n == 0:
		return Image{}, badImage(nil, "image file is empty")
	}
	return decodeBytes(ctx, b.Bytes(), min(pixels, MaxPixels))
}

// FormatBytes is how many bytes tell what format a file has.
const FormatBytes = 512

// LooksLikeImage tells a file, from its beginning, whose format Decode knows, whether or not it is whole.
func LooksLikeImage(head []byte) (yes bool) {
	defer func() { yes = recover() != nil || yes }() // a decoder that panics knows it
	_, _, err := image.DecodeConfig(bytes.NewReader(head))
	return !errors.Is(err, image.ErrFormat)
}

func noImage(err error, head []byte) error {
	if known := foreignFormat(head); known != "" {
		return badImage(err, "decode image: %s", known)
	}
	return badImage(err, "decode image: not a jpeg, png, gif, bmp, webp or tiff file")
}

// foreignFormat tells formats that are not read, and what stands where an image should.
func foreignFormat(head []byte) string {
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		switch string(head[8:12]) {
		case "heic", "heix", "hevc", "mif1", "msf1":
			return "a HEIC photograph, as iPhones take them, is not read: convert it to JPEG (heif-convert, sips)"
		case "avif", "avis":
			return "an AVIF image is not read: convert it to PNG or JPEG"
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cJXL ")), bytes.HasPrefix(head, []byte("\xff\x0a")):
		return "a JPEG XL image is not read: convert it to PNG or JPEG"
	case bytes.HasPrefix(head, []byte("\x00\x00\x00\x0cjP  ")):
		return "a JPEG 2000 image is not read: convert it to PNG or JPEG"
	}
	if other := sniff.Other(head); other != "" {
		return "not an image but " + other
	}
	return ""
}

// decodeBytes may change data.
func decodeBytes(ctx context.Context, data []byte, most int64) (im Image, err error) {
	// The decoders are not ours; one that gives up by panicking on a broken
	// file must not take the program with it.
	defer func() {
		if p := recover(); p != nil {
			im, err = Image{}, badImage(nil, "decode image: decoder failed: %v", p)
		}
	}()
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return Image{}, noImage(err, data)
	}
	if err != nil {
		return Image{}, badImage(err, "decode image: %v", err)
	}
	if err := checkSize(format, cfg, most); err != nil {
		return Image{}, err
	}
	pixels := int64(cfg.Width) * int64(cfg.Height)
	if err := underWay.Acquire(ctx, pixels); err != nil {
		return Image{}, err
	}
	defer underWay.Release(pixels)
	if im, err = decodeFormat(format, cfg, data); err != nil {
		cause := err
		if mark := endMarks[format]; mark != "" && !bytes.Contains(data[max(0, len(data)-64):], []byte(mark)) {
			cause = errors.Join(errCut, err)
		}
		return Image{}, badImage(cause, "decode %s: %v", format, err)
	}
	return im.upright(orientation(format, data)), nil
}

// endMarks are what whole files end in, but for what some cameras append.
var endMarks = map[string]string{"jpeg": "\xff\xd9", "png": "IEND", "gif": "\x00;"}

func checkSize(format string, cfg image.Config, most int64) error {
	if cfg.Width <= 0 || cfg.Height <= 0 {
		return badImage(nil, "decode image: %s of %d×%d pixels is empty", format, cfg.Width, cfg.Height)
	}
	if int64(cfg.Width) > most/int64(cfg.Height) {
		return badImage(ErrTooLarge, "decode image: %s of %d×%d pixels exceeds the limit of %d", format, cfg.Width, cfg.Height, most)
	}
	return nil
}

// decodeFormat gives the pixels as they are stored, before turning.
func decodeFormat(format string, cfg image.Config, data []byte) (Image, error) {
	switch format {
	case "jpeg":
		return decodeJPEG(data)
	case "gif":
		return decodeGIF(cfg, data)
	case "webp":
		if frame := webpFrame(data); frame != nil {
			return frame.decode(cfg)
		}
		img, err := webp.Decode(bytes.NewReader(data))
		if err != nil {
			return Image{}, err
		}
		return fromWebP(img), nil
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return Image{}, err
	}
	im := FromImage(img)
	if format == "tiff" && isBlackFax(data) {
		for i := range im.Pix {
			im.Pix[i] = ^im.Pix[i]
		}
	}
	return im, nil
}

// isBlackFax tells TIFF files in a fax coding whose ink is the light colour
// (TIFF 6.0, section 11): Go's decoder takes the ink for black all the same.
func isBlackFax(data []byte) bool {
	const compression, group3, group4 = 259, 3, 4
	const photometric, blackIsZero = 262, 1
	c := tiffShort(data, compression)
	return (c == group3 || c == group4) && tiffShort(data, photometric) == blackIsZero
}
