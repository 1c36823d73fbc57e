package dataset

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The columns of a FER2013 CSV, in any order and case. Without the last, as in the
// contest's train.csv, all rows are of the one split that the file's name tells.
const (
	colEmotion = iota
	colPixels
	colUsage
	colCount
)

var colNames = [colCount]string{"emotion", "pixels", "Usage"}

// header says where the columns are.
type header struct {
	at     [colCount]int
	fields int // columns in all; others are ignored
}

// parseHeader reads the first line.
func parseHeader(line []byte) (header, error) {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // byte order mark
	h := header{at: [colCount]int{-1, -1, -1}}
	fields, err := splitLine(line, nil)
	if err != nil {
		return h, err
	}
	h.fields = len(fields)
	for i, field := range fields {
		name := string(bytes.TrimSpace(field))
		c := slices.IndexFunc(colNames[:], func(s string) bool { return strings.EqualFold(s, name) })
		if c >= 0 && h.at[c] >= 0 {
			return h, fmt.Errorf("column %s appears twice", colNames[c])
		}
		if c >= 0 {
			h.at[c] = i
		}
	}
	for c, at := range h.at {
		if at < 0 && c != colUsage {
			return h, fmt.Errorf("no column %s; a FER2013 file begins with the line emotion,pixels,Usage, or emotion,pixels", colNames[c])
		}
	}
	return h, nil
}

// rowFault is what is wrong with a row, and in which column if in one.
type rowFault struct{ column, reason string }

func faultf(column, format string, args ...any) *rowFault {
	return &rowFault{column, fmt.Sprintf(format, args...)}
}

// parseRow reads one row: its pixels to dst, its label and its split as indices
// into FERClasses and FERSplits.
func (h header) parseRow(dst, row []byte) (label, split uint8, fault *rowFault) {
	var cols [colCount][]byte
	n := 0
	for more := true; more; n++ {
		var field []byte
		var err error
		if field, row, more, err = cutField(row); err != nil {
			return 0, 0, faultf("", "%v", err)
		}
		for c, at := range h.at {
			if at == n {
				cols[c] = field
			}
		}
	}
	if n != h.fields {
		return 0, 0, faultf("", "%d fields, want %d", n, h.fields)
	}
	emotion := bytes.TrimSpace(cols[colEmotion])
	if len(emotion) != 1 || emotion[0] < '0' || int(emotion[0]-'0') >= len(FERClasses) {
		return 0, 0, faultf(colNames[colEmotion], "unknown label %s, want 0 to %d", quoted(emotion), len(FERClasses)-1)
	}
	usage := bytes.TrimSpace(cols[colUsage])
	s := slices.Index(ferUsages, string(usage))
	if h.at[colUsage] < 0 {
		s = 0 // until oneSplit
	}
	if s < 0 {
		return 0, 0, faultf(colNames[colUsage], "unknown usage %s, want %s", quoted(usage), strings.Join(ferUsages, ", "))
	}
	if fault := parsePixels(dst, cols[colPixels]); fault != nil {
		return 0, 0, fault
	}
	return emotion[0] - '0', uint8(s), nil
}

// quoted shows a field in an error, cut to a readable length.
func quoted(field []byte) string {
	const most = 40
	if len(field) > most {
		return strconv.Quote(string(field[:most])) + "…"
	}
	return strconv.Quote(string(field))
}
