package preprocess

import (
	"bytes"
	"encoding/binary"
)

// orientation is EXIF's, 1 to 8; 1, upright, where the file says nothing. The
// first EXIF block counts.
func orientation(format string, data []byte) int {
	switch format {
	case "jpeg":
		for mark, body := range jpegSegments(data) {
			if exif, ok := bytes.CutPrefix(body, exifPrefix); ok && mark == markAPP1 {
				return tiffOrientation(exif)
			}
		}
	case "png":
		return tiffOrientation(pngChunk(data, "eXIf"))
	case "webp":
		for id, body := range riffChunks(data[12:]) {
			if id == "EXIF" {
				return tiffOrientation(bytes.TrimPrefix(body, exifPrefix))
			}
		}
	case "tiff":
		return tiffOrientation(data)
	}
	return 1
}

var exifPrefix = []byte("Exif\x00\x00")

// pngChunk is the body of the first chunk of that kind, or nil.
func pngChunk(data []byte, kind string) []byte {
	const frame = 12 // length, kind, checksum
	for p := 8; p+frame <= len(data); {
		n := int(binary.BigEndian.Uint32(data[p:]))
		if n > len(data)-p-frame {
			return nil
		}
		if string(data[p+4:p+8]) == kind {
			return data[p+8 : p+8+n]
		}
		p += frame + n
	}
	return nil
}

// tiffOrientation is the orientation in a TIFF structure, which is also what an
// EXIF block is.
func tiffOrientation(t []byte) int {
	if v := tiffShort(t, 0x0112); v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// tiffShort is the value of a tag of type SHORT in the first directory, or -1.
func tiffShort(t []byte, tag uint16) int {
	const short, entry = 3, 12
	if len(t) < 8 {
		return -1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if t[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(t[4:]))
	if order.Uint16(t[2:]) != 42 || at+2 > int64(len(t)) {
		return -1
	}
	entries := t[at+2:]
	for range order.Uint16(t[at:]) {
		if len(entries) < entry {
			return -1
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[entry:]
	}
	return -1
}

// upright undoes an orientation, as PIL's ImageOps.exif_transpose does.
func (im Image) upright(orientation int) Image {
	if orientation <= 1 {
		return im
	}
	h, w := im.H, im.W
	// Where the first pixel comes from, and the steps from it along a row and
	// down a column.
	from := [...]struct{ start, right, down int }{
		2: {w - 1, -1, w}, 3: {h*w - 1, -1, -w}, 4: {(h - 1) * w, 1, -w},
		5: {0, w, 1}, 6: {(h - 1) * w, -w, 1}, 7: {h*w - 1, -w, -1}, 8: {w - 1, w, -1},
	}[orientation]
	out := New(im.C, h, w)
	if orientation >= 5 {
		out = New(im.C, w, h)
	}
	for r := range out.C * out.H {
		src := im.Pix[r/out.H*h*w:][:h*w]
		at := from.start + r%out.H*from.down
		for x := range out.W {
			out.Pix[r*out.W+x] = src[at]
			at += from.right
		}
	}
	return out
}
