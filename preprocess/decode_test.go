package preprocess_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
)

func decodeFile(t *testing.T, name string) preprocess.Image {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := preprocess.Decode(t.Context(), f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return im
}

// Every lossless format gives the pixels that were written.
func TestDecodeFormats(t *testing.T) {
	for _, name := range []string{
		"decode_rgb.png", "decode_rgb.bmp", "decode_rgb.tiff", "decode_rgb.webp",
		"decode_gray.png", "decode_gray.tiff", "decode_gray.gif",
	} {
		im := decodeFile(t, name)
		gray := strings.Contains(name, "gray")
		want := readBytes(t, "decode_rgb.u8", 3*12*16)
		if gray {
			want = readBytes(t, "decode_gray.u8", 12*16)
		}
		if gray && im.C == 3 { // a GIF's palette may hold any colour
			want = slices.Concat(want, want, want)
		}
		if im.H != 12 || im.W != 16 || !bytes.Equal(im.Pix, want) {
			t.Errorf("%s: [%d,%d,%d], pixels differ from what was written", name, im.C, im.H, im.W)
		}
		if gray && im.C != 1 && !strings.HasSuffix(name, ".gif") {
			t.Errorf("%s: C = %d, want 1", name, im.C)
		}
	}
}

// All eight orientations come out upright, as PIL's exif_transpose turns them.
// The two decoders may round differently.
func TestDecodeOrientation(t *testing.T) {
	for mode, c := range map[string]int{"RGB": 3, "L": 1} {
		for o := 1; o <= 8; o++ {
			name := fmt.Sprintf("exif_%s_%d", mode, o)
			im := decodeFile(t, name+".jpg")
			h, w := 24, 32
			if o >= 5 {
				h, w = 32, 24
			}
			if im.C != c || im.H != h || im.W != w {
				t.Fatalf("%s: [%d,%d,%d], want [%d,%d,%d]", name, im.C, im.H, im.W, c, h, w)
			}
			if d := maxDiff(im.Pix, readBytes(t, name+".u8", c*h*w)); !(d <= 2) {
				t.Errorf("%s: differs from PIL by %g, want at most 2", name, d)
			}
		}
	}
}

// hugePNG announces a picture of w×h pixels in a few bytes.
func hugePNG(w, h uint32) []byte {
	head := []byte("IHDR\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00")
	binary.BigEndian.PutUint32(head[4:], w)
	binary.BigEndian.PutUint32(head[8:], h)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
}

func TestDecodeRefuses(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "decode_rgb.png"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":     {nil, "file is empty"},
		"text":      {[]byte("emotion,pixels,Usage\n"), "not a jpeg"},
		"truncated": {whole[:len(whole)/2], "decode png"},
		"huge":      {hugePNG(1<<16, 1<<16), "exceeds the limit"},
	} {
		_, err := preprocess.Decode(t.Context(), bytes.NewReader(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// Transparency is dropped, and 16-bit gray keeps its upper byte.
func TestFromImage(t *testing.T) {
	n := image.NewNRGBA(image.Rect(3, 5, 5, 6)) // bounds that do not start at 0
	n.SetNRGBA(3, 5, color.NRGBA{10, 20, 30, 40})
	n.SetNRGBA(4, 5, color.NRGBA{50, 60, 70, 255})
	if got := preprocess.FromImage(n); got.C != 3 || !slices.Equal(got.Pix, []uint8{10, 50, 20, 60, 30, 70}) {
		t.Errorf("NRGBA gave %v", got)
	}
	g := image.NewGray16(image.Rect(0, 0, 2, 1))
	g.SetGray16(0, 0, color.Gray16{0x1234})
	g.SetGray16(1, 0, color.Gray16{0xfeff})
	if got := preprocess.FromImage(g); got.C != 1 || !slices.Equal(got.Pix, []uint8{0x12, 0xfe}) {
		t.Errorf("Gray16 gave %v", got)
	}
	sub := image.NewGray(image.Rect(0, 0, 4, 2)).SubImage(image.Rect(1, 0, 3, 2)).(*image.Gray)
	sub.Pix[0], sub.Pix[sub.Stride+1] = 7, 9
	if got := preprocess.FromImage(sub); got.C != 1 || !slices.Equal(got.Pix, []uint8{7, 0, 0, 9}) {
		t.Errorf("Gray sub-image gave %v", got)
	}
}

func TestToImageAndBack(t *testing.T) {
	for _, c := range []int{1, 3} {
		im := random(11, c, 5, 8)
		got := preprocess.FromImage(im.ToImage())
		if got.C != c || got.H != 5 || got.W != 8 || !slices.Equal(got.Pix, im.Pix) {
			t.Errorf("C=%d: image changed", c)
		}
	}
}

func TestMirror(t *testing.T) {
	im := preprocess.Image{C: 3, H: 1, W: 3, Pix: []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	if got := im.Mirror(); !slices.Equal(got.Pix, []uint8{3, 2, 1, 6, 5, 4, 9, 8, 7}) {
		t.Errorf("mirrored %v", got.Pix)
	}
	noise := random(13, 1, 6, 7)
	if got := noise.Mirror().Mirror(); !slices.Equal(got.Pix, noise.Pix) {
		t.Error("mirroring twice changed the image")
	}
}

// FuzzDecode: no input panics or gives an image that contradicts itself.
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*_*.*"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range seeds {
		if slices.Contains(preprocess.Extensions, filepath.Ext(name)) {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for _, data := range wildFiles(f) {
		f.Add([]byte(data))
	}
	for _, data := range bombs() {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Valid pictures of the largest size would make every round slow.
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && cfg.Width*cfg.Height > 1<<20 && cfg.Width*cfg.Height <= preprocess.MaxPixels {
			t.Skip()
		}
		im, err := preprocess.Decode(t.Context(), bytes.NewReader(data))
		if err != nil {
			wantBad(t, "decode", err, "")
			return
		}
		if im.C != 1 && im.C != 3 || im.H <= 0 || im.W <= 0 || len(im.Pix) != im.C*im.H*im.W {
			t.Fatalf("image [%d,%d,%d] with %d bytes", im.C, im.H, im.W, len(im.Pix))
		}
		var b bytes.Buffer
		if err := png.Encode(&b, im.ToImage()); err != nil {
			t.Fatal(err)
		}
		again, err := preprocess.Decode(t.Context(), &b)
		if err != nil || !bytes.Equal(again.Pix, im.Pix) {
			t.Fatalf("image changed through PNG: %v", err)
		}
	})
}

// endless is a device that never ends, and counts what is read of it.
type endless int64

func (n *endless) Read(b []byte) (int, error) {
	*n += endless(len(b))
	clear(b)
	return len(b), nil
}

// What is no image is not read any further than its beginning.
func TestDecodeLooksBeforeItReads(t *testing.T) {
	var n endless
	if _, err := preprocess.Decode(t.Context(), &n); err == nil || !strings.Contains(err.Error(), "not a jpeg") || n > 1<<16 {
		t.Errorf("%d bytes read, %v", n, err)
	}
}

// What cannot be read is told as what it is, with a way out.
func TestForeignFormats(t *testing.T) {
	for head, want := range map[string]string{
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1": "HEIC", "\x00\x00\x00\x1cftypavif\x00\x00\x00\x00": "AVIF", "\xff\x0a\x00": "JPEG XL",
		"\x00\x00\x00\x0cjP  \r\n\x87\n": "JPEG 2000", "<!DOCTYPE html><html>": "a web page", "version https://git-lfs.github.com/spec/v1": "git lfs pull",
		"words": "not a jpeg, png",
	} {
		_, err := preprocess.Decode(t.Context(), strings.NewReader(head+strings.Repeat(" ", 600)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", head, err, want)
		}
	}
}
