package dataset

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// naivePixels is parsePixels with the standard library.
func naivePixels(s string, n int) ([]byte, bool) {
	words := strings.FieldsFunc(s, func(r rune) bool { return r < 0x80 && isBlank(byte(r)) })
	out := make([]byte, 0, n)
	for _, w := range words {
		if strings.HasPrefix(w, "+") {
			return nil, false
		}
		v, err := strconv.ParseUint(w, 10, 8)
		if err != nil {
			return nil, false
		}
		out = append(out, byte(v))
	}
	return out, len(out) == n
}

func checkPixels(t *testing.T, s string, n int) {
	t.Helper()
	got := make([]byte, n)
	fault := parsePixels(got, []byte(s))
	want, ok := naivePixels(s, n)
	if (fault == nil) != ok {
		t.Fatalf("%q: fault %v, but valid is %v", s, fault, ok)
	}
	if ok && !bytes.Equal(got, want) {
		t.Fatalf("%q: %v, want %v", s, got, want)
	}
}

// The fast way agrees with the standard library on every value next to every
// other, and on random text of the alphabet around digits and spaces.
func TestParsePixelsAgainstNaive(t *testing.T) {
	for a := range 270 {
		for b := range 270 {
			s := strconv.Itoa(a) + " " + strconv.Itoa(b) + " 1 22 255 7 100"
			checkPixels(t, s, 7)
		}
	}
	r := rand.New(rand.NewPCG(8, 9))
	for range 20000 {
		px := make([]uint8, 2+r.IntN(12))
		for i := range px {
			px[i] = uint8(r.Uint32N([]uint32{10, 100, 256}[r.IntN(3)]))
		}
		s := []byte(joinPixels(px, " "))
		checkPixels(t, string(s), len(px))
		for range 1 + r.IntN(2) {
			s[r.IntN(len(s))] = "0123456789 !/:?@p\t,\x00\x8a\xb0\xff"[r.IntN(23)]
		}
		checkPixels(t, string(s), len(px))
	}
}

func FuzzPixels(f *testing.F) {
	for _, s := range []string{"", "1 2 3 4 5 6", "123 45 6 255 99 100", "1  2\t3 4 5 6 ", "256 0 0 0 0 0", "00123 1 2 3 4 5", "12? 1/1 2 3 4 5 6 7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) { checkPixels(t, string(s), 6) })
}

// TestSpill reads rows back from memory and from the temporary file.
func TestSpill(t *testing.T) {
	const size, rows = 100, 2000
	s := newPixelStore(size, 700*size+50)
	r := rand.New(rand.NewPCG(1, 5))
	var all []byte
	for s.rows < rows {
		px := make([]byte, size*min(1+r.IntN(300), rows-s.rows))
		for i := range px {
			px[i] = byte(r.Uint32())
		}
		all = append(all, px...)
		if err := s.append(px); err != nil {
			t.Fatal(err)
		}
	}
	if s.file == nil {
		t.Fatal("nothing was spilled")
	}
	held := 0
	for _, p := range s.pages {
		held += len(p)
	}
	if held > 700*size {
		t.Errorf("%d bytes in memory, want at most %d", held, 700*size)
	}
	got := make([]byte, size)
	for i := range rows {
		if err := s.read(got, i); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, all[i*size:(i+1)*size]) {
			t.Fatalf("row %d differs", i)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCutFieldFollowsCSV(t *testing.T) {
	for row, want := range map[string][]string{
		`a,b,c`:          {"a", "b", "c"},
		`,,`:             {"", "", ""},
		`"a","b"`:        {"a", "b"},
		`"a,b",c`:        {"a,b", "c"},
		`"say ""x""",""`: {`say "x"`, ""},
		``:               {""},
	} {
		rest, more := []byte(row), true
		var got []string
		for more {
			var field []byte
			var err error
			if field, rest, more, err = cutField(rest); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			got = append(got, string(field))
		}
		if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
	for _, row := range []string{`"a`, `"a"b,c`, `"a""`} {
		if _, _, _, err := cutField([]byte(row)); err == nil {
			t.Errorf("%s: no error", row)
		}
	}
}
