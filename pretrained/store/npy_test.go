package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npyHeader is a version 1.0 header around dict, padded as numpy pads.
func npyHeader(dict string) []byte {
	for (10+len(dict)+1)%64 != 0 {
		dict += " "
	}
	out := append([]byte(npyMagic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(dict)+1))
	return append(append(out, dict...), '\n')
}

func TestEncodeHeaderIsNumpys(t *testing.T) {
	// numpy 1.26: np.lib.format.header_data_from_array_1_0 of a [2048,192] '<f4'.
	want := npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2048, 192), }")
	got := encodeHeader(Float32, 2048, 192)
	if !bytes.Equal(got, want) || len(got) != 128 {
		t.Errorf("header %q, want %q", got, want)
	}
}

func TestReadNPYHeader(t *testing.T) {
	v2 := append([]byte(npyMagic), 2, 0, 118, 0, 0, 0)
	v2 = append(v2, []byte("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"+strings.Repeat(" ", 58)+"\n")...)
	for name, c := range map[string]struct {
		data []byte
		want Header
		err  string
	}{
		"f4":              {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"), Header{Float32, false, 2, 3, 128}, ""},
		"f2":              {npyHeader("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }"), Header{Float16, false, 2, 3, 128}, ""},
		"big endian":      {npyHeader("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }"), Header{Float32, true, 2, 3, 128}, ""},
		"vector":          {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }"), Header{Float32, false, 7, 1, 128}, ""},
		"version 2":       {v2, Header{Float32, false, 2, 3, 130}, ""},
		"fortran column":  {npyHeader("{'descr': '<f4', 'fortran_order': True, 'shape': (7, 1), }"), Header{Float32, false, 7, 1, 128}, ""},
		"fortran":         {npyHeader("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"), Header{}, "ascontiguousarray"},
		"float64":         {npyHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"), Header{}, "<f8"},
		"object":          {npyHeader("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }"), Header{}, "|O"},
		"three dims":      {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4), }"), Header{}, "one or two"},
		"scalar":          {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (), }"), Header{}, "one or two"},
		"huge":            {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999, 9), }"), Header{}, "one or two"},
		"negative":        {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 9), }"), Header{}, "malformed"},
		"code":            {npyHeader("__import__('os').system('true')"), Header{}, "malformed"},
		"not npy":         {[]byte("PK\x03\x04 something else"), Header{}, "not an npy file"},
		"cut off":         {npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }")[:60], Header{}, "cut off"},
		"unknown version": {append([]byte(npyMagic), 9, 0, 1, 0, ' '), Header{}, "version 9.0"},
		"huge header":     {append([]byte(npyMagic), 2, 0, 255, 255, 255, 255), Header{}, "over the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := ReadNPYHeader(bytes.NewReader(c.data))
			if c.err == "" && (err != nil || h != c.want) {
				t.Errorf("%+v, %v; want %+v", h, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestNPYRoundTrip(t *testing.T) {
	x := []float32{0.5, -2, 3.25, 65504, 6e-8, -0}
	for _, dt := range []DType{Float32, Float16} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := WriteNPY(path, x, 2, 3, dt); err != nil {
			t.Fatal(err)
		}
		got, rows, dim, err := ReadNPY(path)
		if err != nil || rows != 2 || dim != 3 {
			t.Fatalf("[%d,%d], %v", rows, dim, err)
		}
		for i := range x {
			// 6e-8 is the smallest subnormal half, 2⁻²⁴, within one unit of it.
			if !(math.Abs(float64(got[i]-x[i])) <= 1e-9) {
				t.Errorf("%s value %d: %v, want %v", dt, i, got[i], x[i])
			}
		}
	}
	if err := WriteNPY(filepath.Join(t.TempDir(), "x.npy"), x, 2, 4, Float32); err == nil {
		t.Error("six values were written as [2,4]")
	}
}

func TestReadNPYBigEndian(t *testing.T) {
	want := []float32{1.5, -7, 1e-3, 12345}
	data := npyHeader("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }")
	for _, v := range want {
		data = binary.BigEndian.AppendUint32(data, math.Float32bits(v))
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	got, _, _, err := ReadNPY(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("value %d: %v, want %v", i, got[i], want[i])
		}
	}
	for _, size := range []int{len(data) - 1, len(data) + 1, 130} {
		wrong := make([]byte, size)
		copy(wrong, data)
		if err := os.WriteFile(path, wrong, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := ReadNPY(path); err == nil || !strings.Contains(err.Error(), "damaged or cut off") {
			t.Errorf("%d bytes instead of %d: error %v", size, len(data), err)
		}
	}
}

// FuzzReadNPY reads arbitrary bytes as a file: no panic, and never more values
// than the bytes can hold.
func FuzzReadNPY(f *testing.F) {
	good := npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }")
	f.Add(append(good, make([]byte, 16)...))
	f.Add(append(npyHeader("{'descr': '>f2', 'fortran_order': True, 'shape': (3,), }"), 1, 2, 3, 4, 5, 6))
	f.Add(npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1048576), }"))
	f.Add([]byte(npyMagic + "\x02\x00\xff\xff\xff\xff"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "x.npy")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		x, rows, dim, err := ReadNPY(path)
		if err == nil && (len(x) != rows*dim || 2*len(x) > len(data)) {
			t.Errorf("%d values for [%d,%d] from %d bytes", len(x), rows, dim, len(data))
		}
	})
}
