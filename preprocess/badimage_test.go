package preprocess_test

import (
	"bytes"
	"errors"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"graft/preprocess"
)

// A file that ends early is told from one that is broken otherwise.
func TestCutFilesAreTold(t *testing.T) {
	im := image.NewPaletted(image.Rect(0, 0, 40, 40), palette.WebSafe)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range im.Pix {
		im.Pix[i] = uint8(r.IntN(len(im.Palette)))
	}
	for name, encode := range map[string]func(io.Writer) error{
		"png":  func(w io.Writer) error { return png.Encode(w, im) },
		"jpeg": func(w io.Writer) error { return jpeg.Encode(w, im, nil) },
		"gif":  func(w io.Writer) error { return gif.Encode(w, im, nil) },
		"bmp":  func(w io.Writer) error { return bmp.Encode(w, im) },
		"tiff": func(w io.Writer) error { return tiff.Encode(w, im, nil) },
	} {
		var whole bytes.Buffer
		if err := encode(&whole); err != nil {
			t.Fatal(err)
		}
		for _, percent := range []int{30, 60, 95} {
			_, err := preprocess.Decode(t.Context(), bytes.NewReader(whole.Bytes()[:whole.Len()*percent/100]))
			var bad *preprocess.BadImageError
			if !errors.As(err, &bad) || !bad.Cut() {
				t.Errorf("%s cut to %d%%: %v is not said to be cut", name, percent, err)
			}
		}
		broken := whole.Bytes()
		copy(broken[:4], "nope")
		var bad *preprocess.BadImageError
		if _, err := preprocess.Decode(t.Context(), bytes.NewReader(broken)); !errors.As(err, &bad) || bad.Cut() {
			t.Errorf("%s that is no image: %v is said to be cut", name, err)
		}
	}
}
