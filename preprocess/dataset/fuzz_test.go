package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzCSV: no text panics, and what is accepted survives being written and
// read again.
func FuzzCSV(f *testing.F) {
	rows := testRows(1, 3)
	text := csvText(rows)
	f.Add([]byte(text))
	f.Add([]byte(corrupt(rows, 1, "9,256,\"Test\"\r\n\r\n")))
	f.Add([]byte("Usage, pixels, emotion\nTraining,\"" + strings.Repeat("0 ", ferPixels) + "\",6"))
	f.Add([]byte("emotion,pixels,Usage\n\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &Dataset{Path: "fuzz", form: csvForm{}, skipBad: true}
		defer d.Close()
		if err := d.loadCSV(context.Background(), "fuzz", bytes.NewReader(data)); err != nil {
			return
		}
		if len(d.Samples)+len(d.Bad) != d.total || len(d.Samples) != len(d.rows) {
			t.Fatalf("%d samples and %d bad of %d rows", len(d.Samples), len(d.Bad), d.total)
		}
		if len(d.Samples) == 0 || len(d.Splits) == 1 { // what is written has all of FER2013's splits, however empty
			return
		}
		var b bytes.Buffer
		if err := d.writeRows(context.Background(), &b, func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
		again := &Dataset{Path: "again", form: csvForm{}}
		defer again.Close()
		if err := again.loadCSV(context.Background(), "again", &b); err != nil {
			t.Fatal(err)
		}
		if fingerprint(t, again) != fingerprint(t, d) {
			t.Fatal("the set changed by being written and read")
		}
	})
}

// FuzzVotes: no FER+ file panics or gives other than whole rows.
func FuzzVotes(f *testing.F) {
	f.Add([]byte(votesText(testRows(1, 3))))
	f.Add([]byte("Usage,neutral\n\"Training\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := parseVotes(bytes.NewReader(data), 5)
		if err != nil {
			return
		}
		if len(rows) > 6 {
			t.Fatalf("%d rows read, want at most 6", len(rows))
		}
		for _, r := range rows {
			if r.fault == "" && len(r.votes) != len(voteNames) {
				t.Fatalf("%d votes", len(r.votes))
			}
		}
	})
}

// FuzzArchive: no archive panics, reads outside itself, or gives a set that
// contradicts itself. The seeds include plain and gzipped tar and zip.
func FuzzArchive(f *testing.F) {
	text := csvText(testRows(1, 2))
	f.Add(tarred(f, member{name: "fer2013/fer2013.csv", data: text}))
	f.Add(gzipped(f, tarred(f, member{name: "x", target: "../y"}, member{name: "fer2013.csv", data: text})))
	f.Add(gzipped(f, []byte(text)))
	f.Add(zipped(f, member{name: "fer2013.csv", data: text}))
	f.Add(zipped(f, animals(f)...))
	f.Add(zipped(f, kaggleMembers(f)...))
	f.Add(zipped(f, member{name: "../train/a/b.png", data: "x"}, member{name: "train/a/c.png", target: "/etc/passwd"}))
	path := filepath.Join(f.TempDir(), "archive")
	f.Fuzz(func(t *testing.T, data []byte) {
		if tooBig(data) {
			t.Skip()
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(context.Background(), Ref{Path: path, SkipBad: true, Verify: true}, nil)
		if err != nil {
			return
		}
		defer d.Close()
		for i, s := range d.Samples {
			if s.Label < 0 || s.Label >= len(d.Classes) || strings.Contains(s.ID, "..") {
				t.Fatalf("sample %+v of %d classes", s, len(d.Classes))
			}
			if _, err := d.Image(t.Context(), i); err != nil {
				t.Fatalf("verified, yet %v", err)
			}
		}
		d.Info()
		fingerprint(t, d)
	})
}

// FuzzList: no list panics, or gives samples that contradict it.
func FuzzList(f *testing.F) {
	f.Add([]byte("train/cat/a.png,cat,train\n\"a \"\"b\"\"\",dog, val\n"))
	f.Add([]byte("\xef\xbb\xbfSplit,Path\r\n# x\r\n\r\ntest,../x.png\r\n"))
	f.Add(gzipped(f, []byte("a.png\nb.png\n")))
	path := filepath.Join(f.TempDir(), "list")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(context.Background(), Ref{Path: ListPrefix + path, SkipBad: true}, nil)
		if err != nil {
			return
		}
		defer d.Close()
		for _, s := range d.Samples {
			if s.ID == "" || s.Label < 0 || s.Label >= len(d.Classes) || !slices.Contains(d.Splits, s.Split) {
				t.Fatalf("sample %+v of classes %q, splits %q", s, d.Classes, d.Splits)
			}
		}
		d.Info()
	})
}

// tooBig leaves out archives that unpack to much: allowed, but slow.
func tooBig(data []byte) bool {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return false
	}
	var total uint64
	for _, m := range z.File {
		total += min(m.UncompressedSize64, 1<<40)
	}
	return len(z.File) > 100 || total > 1<<24
}
