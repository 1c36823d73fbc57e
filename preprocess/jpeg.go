package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"io"
	"iter"
)

// JPEG markers: the second byte, after 0xff.
const (
	markSOF0, markSOF2 = 0xc0, 0xc2
	markSOI, markEOI   = 0xd8, 0xd9
	markSOS            = 0xda
	markDRI            = 0xdd
	markAPP1           = 0xe1
	markAPP14          = 0xee
)

// maxScans bounds a progressive JPEG's passes over the whole picture, each a few
// bytes where nothing changes: a small file could ask for hours. Encoders write
// about ten.
const maxScans = 1000

func decodeJPEG(data []byte) (Image, error) {
	if n := bytes.Count(data, []byte{0xff, markSOS}); n > maxScans {
		return Image{}, fmt.Errorf("%d scans, at most %d are read", n, maxScans)
	}
	parts := []io.Reader{bytes.NewReader(data)}
	if jpegWithoutAdobe(data) {
		// Go's decoder asks for Adobe's marker; libjpeg takes four components
		// without one as CMYK, and PIL as inverted, which is what this adds.
		app14 := []byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00")
		parts = []io.Reader{bytes.NewReader(data[:2]), bytes.NewReader(app14), bytes.NewReader(data[2:])}
	}
	// Some cameras forget the end marker. A second one does no harm, and what is
	// cut within a scan stays an error.
	img, err := jpeg.Decode(io.MultiReader(append(parts, bytes.NewReader([]byte{0xff, markEOI}))...))
	if err != nil && !bytes.Contains(data[max(0, len(data)-64):], []byte{0xff, markEOI}) {
		return Image{}, fmt.Errorf("the file is cut short, it has no end marker: %w", err)
	}
	if err != nil && progressiveRestarts(data) {
		return Image{}, fmt.Errorf("a progressive JPEG of subsampled colours with restart markers, which graft does not read; `jpegtran -copy all -restart 0` writes it without them and without loss: %w", err)
	}
	if err != nil {
		return Image{}, err
	}
	return FromImage(img), nil
}

// progressiveRestarts tells the progressive files with restart intervals: Go's decoder counts
// those of a scan of one component in units of all components, where components differ in size.
func progressiveRestarts(data []byte) bool {
	progressive, restarts := false, false
	for mark, body := range jpegSegments(data) {
		progressive = progressive || mark == markSOF2
		restarts = restarts || mark == markDRI && len(body) >= 2 && body[0]|body[1] != 0
	}
	return progressive && restarts
}

// jpegSegments walks over the segments, marker and body, before the picture's data.
func jpegSegments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(mark byte, body []byte) bool) {
		for p := 2; p+4 <= len(data) && data[p] == 0xff; {
			mark := data[p+1]
			if mark == 0xff { // padding
				p++
				continue
			}
			n := int(binary.BigEndian.Uint16(data[p+2:]))
			if mark == markSOS || mark == markEOI || n < 2 || p+2+n > len(data) || !yield(mark, data[p+4:p+2+n]) {
				return
			}
			p += 2 + n
		}
	}
}

// jpegWithoutAdobe tells four components without Adobe's marker.
func jpegWithoutAdobe(data []byte) bool {
	four, adobe := false, false
	for mark, body := range jpegSegments(data) {
		if mark >= markSOF0 && mark <= markSOF2 && len(body) > 5 {
			four = body[5] == 4
		}
		adobe = adobe || mark == markAPP14 && bytes.HasPrefix(body, []byte("Adobe"))
	}
	return four && !adobe
}
