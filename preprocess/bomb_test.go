package preprocess_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"graft/preprocess"
)

// bombs announce far more pixels than MaxPixels in a few bytes, in every format.
func bombs() map[string][]byte {
	le, be := binary.LittleEndian, binary.BigEndian
	gif := append([]byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff"), "\x2c\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02\x44\x01\x00\x3b"...)
	bmp := make([]byte, 54)
	copy(bmp, "BM")
	for at, v := range map[int]uint32{10: 54, 14: 40, 18: 1 << 17, 22: 1 << 15, 26: 1 | 24<<16} {
		le.PutUint32(bmp[at:], v)
	}
	tiff := []byte("II*\x00\x08\x00\x00\x00\x04\x00")
	for _, e := range [][2]uint32{{256, 1 << 17}, {257, 1 << 15}, {258, 8}, {262, 1}} {
		tiff = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(tiff, uint16(e[0])), 4), 1), e[1])
	}
	webp := []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\xff\xff\x00\xfe\x7f\x00")
	lossless := []byte("RIFF\x12\x00\x00\x00WEBPVP8L\x05\x00\x00\x00\x2f\xff\xff\xff\x0f\x00")
	jpeg := append(be.AppendUint16(be.AppendUint16([]byte("\xff\xd8\xff\xc0\x00\x0b\x08"), 0xffff), 0xffff), "\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"...)
	return map[string][]byte{"png": hugePNG(1<<16, 1<<16), "gif": gif, "bmp": bmp, "tiff": tiff, "webp": webp, "lossless webp": lossless, "jpeg": jpeg}
}

// A bomb is refused by its header, before memory of its size is taken.
func TestBombsAreRefusedBeforeDecoding(t *testing.T) {
	const most = 4 << 20
	for name, data := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := preprocess.Decode(t.Context(), bytes.NewReader(data))
		runtime.ReadMemStats(&after)
		wantBad(t, name, err, "exceeds the limit of 89478485")
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			t.Errorf("%s: %d bytes allocated before it was refused", name, n)
		}
	}
}

// wantBad checks that err blames the image and says why.
func wantBad(t *testing.T, name string, err error, reason string) {
	t.Helper()
	var bad *preprocess.BadImageError
	if !errors.As(err, &bad) || !strings.Contains(bad.Reason, reason) {
		t.Errorf("%s: error %v, want a bad image with %q", name, err, reason)
	}
}

// What is cut within its pixels is bad, not half a picture.
func TestTruncatedFilesAreBad(t *testing.T) {
	for name, data := range wildFiles(t) {
		switch name {
		case "animated.gif", "animated.png", "animated.webp", "animated_lossy.webp", "pages.tiff", "rubbish_behind.jpg":
			continue // the first picture may be whole
		}
		for _, part := range []float64{0.05, 0.3, 0.5, 0.9} {
			if im, err := preprocess.Decode(t.Context(), strings.NewReader(data[:int(part*float64(len(data)))])); err == nil {
				t.Errorf("%s: %v of it gave an image [%d,%d,%d]", name, part, im.C, im.H, im.W)
			} else {
				wantBad(t, name, err, "decode")
			}
		}
	}
}

func TestJPEGWithTooManyScans(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "wild", "progressive.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("\xff\xda"))
	_, err = preprocess.Decode(t.Context(), bytes.NewReader(append(data[:len(data)-2], bytes.Repeat(data[at:len(data)-2], 200)...)))
	wantBad(t, "scans", err, "scans, at most 1000")
}

// A failing reader is not the image's fault.
func TestReadErrorsAreNotBadImages(t *testing.T) {
	_, err := preprocess.Decode(t.Context(), iotest.ErrReader(os.ErrDeadlineExceeded))
	var bad *preprocess.BadImageError
	if errors.As(err, &bad) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// Buffers are shared by concurrent calls; no image sees another's.
func TestDecodeConcurrently(t *testing.T) {
	files := wildFiles(t)
	want := map[string]preprocess.Image{}
	for name, data := range files {
		im, err := preprocess.Decode(t.Context(), strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = im
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name, data := range files {
				im, err := preprocess.Decode(t.Context(), strings.NewReader(data))
				if err != nil || !bytes.Equal(im.Pix, want[name].Pix) || !bytes.Equal(preprocess.Square(im, 9, 0.9).Pix, preprocess.Square(want[name], 9, 0.9).Pix) {
					t.Errorf("%s: other pixels, %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}
