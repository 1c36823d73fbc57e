package store

import (
	"bytes"
	"strings"
	"testing"
)

// numpy 1.26: np.lib.format.header_data_from_array_1_0 of a [2048,192] '<f4'.
func TestHeaderIsNumpys(t *testing.T) {
	want := "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2048, 192), }" + strings.Repeat(" ", 53) + "\n"
	if got := (npyHeader{Float32, 2048, []int{192}}).encode(); string(got) != want || len(got) != 128 {
		t.Errorf("header %q, want %q", got, want)
	}
}

// A file is read only where its header is that of the manifest's rows, width and type.
func TestReadRowsChecksHeader(t *testing.T) {
	h := npyHeader{Float16, 2, []int{3}}
	file := append(h.encode(), "abcdefghijkl"...)
	var rows []string
	if err := h.readRows(bytes.NewReader(file), 0, 2, func(_ int, row []byte) { rows = append(rows, string(row)) }); err != nil || strings.Join(rows, " ") != "abcdef ghijkl" {
		t.Errorf("rows %q, %v", rows, err)
	}
	for name, bad := range map[string]struct {
		h    npyHeader
		file []byte
	}{
		"rows": {npyHeader{Float16, 3, []int{3}}, file}, "width": {npyHeader{Float16, 2, []int{2}}, file}, "type": {npyHeader{Float32, 2, []int{3}}, file},
		"cut header": {h, file[:90]}, "cut rows": {h, file[:len(file)-1]}, "empty": {h, nil},
	} {
		if err := bad.h.readRows(bytes.NewReader(bad.file), 0, 2, func(int, []byte) {}); err == nil {
			t.Errorf("another %s was read", name)
		}
	}
}
