package dataset

import "encoding/binary"

// After XOR with '0' in every byte a digit is 0x00 to 0x09 and a space 0x10: the
// upper halves of the bytes tell where numbers end. Little-endian, so the first
// character is the lowest byte.
const (
	zeros = 0x3030303030303030
	upper = 0xf0f0f0f0f0f0f0f0

	threeThree = 0x1000000010000000 // "123 123 "
	twoTwo     = 0x0000100000100000 // "12 12 "
	three      = 0x10000000         // "123 "
	two        = 0x100000           // "12 "
	one        = 0x1000             // "1 "
)

// parsePixels reads len(dst) decimal numbers of 0 to 255 from s.
//
// Neighbouring pixels are alike, so branches on the next numbers' lengths are
// mostly foreseen and cost less than computing with lengths. The fast way wants
// single spaces; characters next to the digits (:;<=>? and !"#$%&'()*+,-./ pass
// for digits and spaces by their upper half) and values above 255 only leave a
// bit in odd, asked once at the end. Everything that deviates, and the end of
// s, is parsePixelsSlow's.
func parsePixels(dst, s []byte) *rowFault {
	var odd uint64
	i, at := 0, 0
	for i+1 < len(dst) && at+8 <= len(s) {
		w := binary.LittleEndian.Uint64(s[at:]) ^ zeros
		out := dst[i : i+2 : i+2]
		switch {
		case w&upper == threeThree:
			const lanes = 0x0000000f0000000f
			v := w&lanes*100 + w>>8&lanes*10 + w>>16&lanes
			odd |= (w+0x0006060600060606)&0x0ff0f0f00ff0f0f0 | v&^0x000000ff000000ff
			out[0], out[1] = uint8(v), uint8(v>>32)
			i, at = i+2, at+8
		case w&(upper>>16) == twoTwo:
			const lanes = 0x0f00000f
			v := w&lanes*10 + w>>8&lanes
			odd |= (w + 0x0000000606000606) & 0x00000ff0f00ff0f0
			out[0], out[1] = uint8(v), uint8(v>>24)
			i, at = i+2, at+6
		case w&(upper>>32) == three:
			v := w&0xf*100 + w>>8&0xf*10 + w>>16&0xf
			odd |= (w+0x060606)&0x0ff0f0f0 | v&^0xff
			out[0] = uint8(v)
			i, at = i+1, at+4
		case w&(upper>>40) == two:
			odd |= (w + 0x0606) & 0x0ff0f0
			out[0] = uint8(w&0xf*10 + w>>8&0xf)
			i, at = i+1, at+3
		case w&(upper>>48) == one:
			odd |= (w + 0x06) & 0x0ff0
			out[0] = uint8(w & 0xf)
			i, at = i+1, at+2
		default:
			return parsePixelsSlow(dst, s, 0, 0)
		}
	}
	if odd != 0 {
		return parsePixelsSlow(dst, s, 0, 0)
	}
	return parsePixelsSlow(dst, s, i, at)
}

// parsePixelsSlow goes on at number i, byte at, with any blanks between
// numbers, and finds the words for what is wrong.
func parsePixelsSlow(dst, s []byte, i, at int) *rowFault {
	for ; ; i++ {
		for at < len(s) && isBlank(s[at]) {
			at++
		}
		if at == len(s) {
			break
		}
		start, v := at, 0
		for ; at < len(s) && !isBlank(s[at]); at++ {
			d := int(s[at]) - '0'
			if d < 0 || d > 9 {
				v = 256
			}
			v = min(v*10+d, 256)
		}
		if v < 0 || v > 255 {
			return faultf(colNames[colPixels], "pixel %d is %s, want 0 to 255", i, quoted(s[start:at]))
		}
		if i < len(dst) {
			dst[i] = uint8(v)
		}
	}
	if i != len(dst) {
		return faultf(colNames[colPixels], "%d pixels, want %d", i, len(dst))
	}
	return nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
