package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// One set in every form it is found in gives the same samples and the same
// fingerprint.
func TestCSVForms(t *testing.T) {
	rows := testRows(1, 23)
	plain := csvText(rows)
	var permuted, quotedAll, wide strings.Builder
	permuted.WriteString("\ufeffUsage, extra , pixels, emotion\r\n")
	quotedAll.WriteString("\"emotion\",\"pixels\",\"Usage\"\n")
	wide.WriteString("emotion,pixels,Usage\n")
	for _, r := range rows {
		fmt.Fprintf(&permuted, "%s,,%s,%d\r\n", r.usage, joinPixels(r.pixels, " "), r.label)
		fmt.Fprintf(&quotedAll, "\"%d\",\"%s\",\"%s\"\n", r.label, joinPixels(r.pixels, "\n"), r.usage)
		fmt.Fprintf(&wide, " %d , %s , %s \n\n", r.label, joinPixels(r.pixels, "  "), r.usage)
	}
	readme := member{name: "fer2013/README", data: "read me"}
	link := member{name: "fer2013/fer2013.csv", target: "/etc/passwd"}
	inside := member{name: "fer2013/fer2013.csv", data: plain}
	kaggle := member{name: "icml_face_data.csv", data: plain}
	other := member{name: "train.csv", data: "emotion,pixels\n"}
	fork := member{name: "__MACOSX/._fer2013.csv", data: "\x00\x05"}
	forms := map[string][]byte{
		"plain.csv":        []byte(plain),
		"unfinished.csv":   []byte(strings.TrimSuffix(plain, "\n")),
		"crlf.csv":         []byte(strings.ReplaceAll(plain, "\n", "\r\n")),
		"permuted.csv":     []byte(permuted.String()),
		"quoted.csv":       []byte(quotedAll.String()),
		"wide.csv":         []byte(wide.String()),
		"fer2013.csv.gz":   gzipped(t, []byte(plain)),
		"misnamed.bin":     gzipped(t, []byte(plain)),
		"fer2013.tar":      tarred(t, readme, inside),
		"fer2013.tar.gz":   gzipped(t, tarred(t, readme, link, inside, other)),
		"only.tar.gz":      gzipped(t, tarred(t, readme, member{name: "a/faces.csv", data: plain}, fork)),
		"fer2013.zip":      zipped(t, fork, other, inside),
		"challenge.zip":    zipped(t, other, kaggle),
		"anothername.zip":  zipped(t, readme, member{name: "faces.csv", data: plain}),
		"linkedmember.zip": zipped(t, link, kaggle),
	}
	want := ""
	for name, data := range forms {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, writeFile(t, name, data), Ref{})
			checkRows(t, d, rows)
			if d.Kind != "fer2013-csv" || len(d.Warnings) != 3 {
				t.Errorf("kind %s, warnings %q: want %s and one for each split's count", d.Kind, d.Warnings, "fer2013-csv")
			}
			if f := fingerprint(t, d); want == "" {
				want = f
			} else if f != want {
				t.Errorf("fingerprint %s, want %s as of the other forms", f, want)
			}
		})
	}
}

// corrupt replaces row i of a CSV.
func corrupt(rows []testRow, i int, line string) string {
	lines := strings.SplitAfter(csvText(rows), "\n")
	lines[i+1] = line
	return strings.Join(lines, "")
}

func TestCSVFaults(t *testing.T) {
	rows := testRows(2, 9)
	px := func(n int) string { return joinPixels(make([]uint8, n), " ") }
	for name, c := range map[string]struct {
		line string
		want []string
	}{
		"few pixels":     {"3," + px(2303) + ",Training\n", []string{"column pixels", "2303 pixels, want 2304"}},
		"many pixels":    {"3," + px(2305) + ",Training\n", []string{"column pixels", "2305 pixels, want 2304"}},
		"no pixels":      {"3,,Training\n", []string{"column pixels", "0 pixels"}},
		"256":            {"3," + px(99) + " 256 " + px(2204) + ",Training\n", []string{"column pixels", `pixel 99 is "256", want 0 to 255`}},
		"last is 300":    {"3," + px(2303) + " 300,Training\n", []string{`pixel 2303 is "300"`}},
		"long number":    {"3,0001 " + px(2303) + "1234,Training\n", []string{`pixel 2303 is "01234"`}},
		"negative":       {"3,-1 " + px(2303) + ",Training\n", []string{`pixel 0 is "-1"`}},
		"colon":          {"3," + px(2302) + " 1: 1,Training\n", []string{`pixel 2302 is "1:"`}},
		"early colon":    {"3,1: " + px(2303) + ",Training\n", []string{`pixel 0 is "1:"`}},
		"dots":           {"3," + strings.ReplaceAll(px(2304), " ", ".") + ",Training\n", []string{"pixel 0 is"}},
		"float":          {"3,1.5 " + px(2303) + ",Training\n", []string{`pixel 0 is "1.5"`}},
		"label 7":        {"7," + px(2304) + ",Training\n", []string{"column emotion", `unknown label "7"`}},
		"label word":     {"happy," + px(2304) + ",Training\n", []string{"column emotion", `"happy"`}},
		"no label":       {"," + px(2304) + ",Training\n", []string{"column emotion"}},
		"usage":          {"1," + px(2304) + ",Validation\n", []string{"column Usage", `"Validation"`}},
		"two fields":     {"1," + px(2304) + "\n", []string{"2 fields, want 3"}},
		"four fields":    {"1," + px(2304) + ",Training,\n", []string{"4 fields, want 3"}},
		"open quote":     {"1," + px(2304) + ",\"Training\"x\n", []string{"text behind a closing quotation mark"}},
		"blanks only":    {" \n", []string{"1 fields"}},
		"newline inside": {"1,\"" + strings.ReplaceAll(px(2303), " ", "\n") + "\",Training\n", []string{"2303 pixels"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "bad.csv", []byte(corrupt(rows, 4, c.line)))
			_, err := Open(context.Background(), Ref{Path: path}, nil)
			wantError(t, err, append(c.want, path, "row 5 (line 6)")...)

			d := mustOpen(t, path, Ref{SkipBad: true})
			checkRows(t, d, append(append([]testRow{}, rows[:4]...), rows[5:]...))
			if len(d.Bad) != 1 || !strings.Contains(d.Bad[0].Where, "row 5 (line 6)") {
				t.Errorf("bad entries %v, want row 5", d.Bad)
			}
			if d.Samples[4].ID != ferID(0, 5) {
				t.Errorf("sample after the bad row is %s, want %s: rows keep their numbers", d.Samples[4].ID, ferID(0, 5))
			}
		})
	}
}

func TestCSVHeaderFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "file is empty",
		"emotion,pixels\n1,2\n":               "column pixels: 1 pixels, want 2304",
		"0,70 80,Training\n":                  "no column emotion",
		"emotion,pixels,Usage,pixels\n":       "appears twice",
		"\"emotion,pixels,Usage\n":            "quotation mark is not closed",
		"emotion,pixels,Usage\n":              "no usable image",
		strings.Repeat("x", blockSize+1):      "longer than",
		"\x7fELF\x02\x01\x01\x00\x00\x00\x00": "no column emotion",
	} {
		path := writeFile(t, "head.csv", []byte(text))
		_, err := Open(context.Background(), Ref{Path: path}, nil)
		wantError(t, err, path, want)
	}
}

// Row and line numbers stay exact over many blocks, with empty lines and line
// feeds in quotes between.
func TestCSVRowNumbersOverBlocks(t *testing.T) {
	const n = 700 // some 5 MB, so several blocks
	rows := testRows(3, n)
	var b strings.Builder
	b.WriteString("emotion,pixels,Usage\n")
	line, wantLine := 2, 0
	for i, r := range rows {
		switch {
		case i == 650:
			wantLine = line
			b.WriteString("9,1,Training\n")
			line++
		case i%50 == 0:
			fmt.Fprintf(&b, "%d,\"%s\",\"Train\ning\"\n\n", r.label, joinPixels(r.pixels, " "))
			line += 3
		default:
			fmt.Fprintf(&b, "%d,%s,%s\n", r.label, joinPixels(r.pixels, " "), r.usage)
			line++
		}
	}
	path := writeFile(t, "long.csv", []byte(b.String()))
	d := mustOpen(t, path, Ref{SkipBad: true})
	last := d.Bad[len(d.Bad)-1]
	if want := fmt.Sprintf("row 651 (line %d), column emotion", wantLine); last.Where != want {
		t.Errorf("last bad entry at %q, want %q", last.Where, want)
	}
	if len(d.Bad) != 14 { // 13 broken usages before row 651, and it
		t.Errorf("%d bad entries, want 14", len(d.Bad))
	}
	if len(d.Samples) != n-len(d.Bad) {
		t.Errorf("%d samples and %d bad ones of %d", len(d.Samples), len(d.Bad), n)
	}
	if got := d.Samples[len(d.Samples)-1].ID; !strings.HasSuffix(got, strconv.Itoa(n-1)) {
		t.Errorf("last sample is %s", got)
	}
}

// Blocks are never cut at a line feed in quotes.
func TestQuotedLinesOverBlocks(t *testing.T) {
	rows := testRows(7, 500)
	var b strings.Builder
	b.WriteString("emotion,pixels,Usage\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%d,\"%s\",%s\n", r.label, joinPixels(r.pixels, "\n"), r.usage)
	}
	checkRows(t, mustOpen(t, writeFile(t, "lines.csv", []byte(b.String())), Ref{}), rows)
}

func TestTruncated(t *testing.T) {
	rows := testRows(4, 400)
	text := []byte(csvText(rows))
	packed := map[string][]byte{
		"fer2013.csv.gz": gzipped(t, text),
		"fer2013.tar.gz": gzipped(t, tarred(t, member{name: "fer2013.csv", data: string(text)})),
	}
	for name, data := range packed {
		path := writeFile(t, name, data[:len(data)*2/3])
		_, err := Open(context.Background(), Ref{Path: path}, nil)
		wantError(t, err, path, "truncated or damaged", "after row ")
		d := mustOpen(t, path, Ref{SkipBad: true})
		if n := len(d.Samples); n < 100 || n >= 400 || len(d.Bad) != 1 {
			t.Errorf("%s: %d samples, bad entries %v: want most of the rows before the break and one entry", name, n, d.Bad)
		}
		checkRows(t, d, rows[:len(d.Samples)])
	}
	// A flipped bit near the end is found by the checksum.
	damaged := bytes.Clone(packed["fer2013.tar.gz"])
	damaged[len(damaged)-6] ^= 1
	path := writeFile(t, "fer2013.tar.gz", damaged)
	_, err := Open(context.Background(), Ref{Path: path}, nil)
	wantError(t, err, path, "damaged")

	whole := zipped(t, member{name: "fer2013.csv", data: string(text)})
	path = writeFile(t, "fer2013.zip", whole[:len(whole)/2])
	_, err = Open(context.Background(), Ref{Path: path}, nil)
	wantError(t, err, path, "truncated or damaged")
	_, err = Open(context.Background(), Ref{Path: path, SkipBad: true}, nil)
	wantError(t, err, path, "truncated or damaged") // its list of members stood at the end

	damaged = bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0x55
	path = writeFile(t, "fer2013.zip", damaged)
	_, err = Open(context.Background(), Ref{Path: path}, nil)
	wantError(t, err, path, "fer2013.csv")
}

func TestArchivesWithoutTheCSV(t *testing.T) {
	one, two := member{name: "a.csv", data: "x"}, member{name: "b.csv", data: "y"}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"none.tar.gz": {gzipped(t, tarred(t, member{name: "readme", data: "x"})), "holds no CSV"},
		"none.zip":    {zipped(t, member{name: "readme", data: "x"}), "holds no CSV"},
		"two.tar":     {tarred(t, one, two), "holds 2 CSV files (a.csv"},
		"two.zip":     {zipped(t, one, two), "holds 2 CSV files (a.csv"},
		"link.tar":    {tarred(t, member{name: "fer2013.csv", target: "/etc/passwd"}), "holds no CSV"},
	} {
		path := writeFile(t, name, c.data)
		_, err := Open(context.Background(), Ref{Path: path}, nil)
		wantError(t, err, path, c.want)
	}
}

// A stopped reading says so, and is neither taken for a damaged file nor, with
// SkipBad, for a short one.
func TestOpenStops(t *testing.T) {
	text := []byte(csvText(testRows(5, 600)))
	path := writeFile(t, "fer2013.csv.gz", gzipped(t, text))
	for _, after := range []int64{1, 1 << 20} {
		for _, skip := range []bool{false, true} {
			ctx, cancel := context.WithCancel(context.Background())
			_, err := Open(ctx, Ref{Path: path, SkipBad: skip}, func(done, total int64) {
				if done >= after {
					cancel()
				}
			})
			cancel()
			if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "damaged") {
				t.Errorf("stopped after %d bytes: error %v, want context.Canceled and nothing of damage", after, err)
			}
		}
	}
}

func TestProgress(t *testing.T) {
	data := gzipped(t, []byte(csvText(testRows(6, 300))))
	var last, total int64
	path := writeFile(t, "fer2013.csv.gz", data)
	d, err := Open(context.Background(), Ref{Path: path}, func(done, of int64) { last, total = done, of })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if last != int64(len(data)) || total != int64(len(data)) {
		t.Errorf("progress ended at %d of %d, want %d", last, total, len(data))
	}
}

func TestOpenMissing(t *testing.T) {
	_, err := Open(context.Background(), Ref{Path: "nowhere/fer2013.csv"}, nil)
	wantError(t, err, "nowhere/fer2013.csv", "the word synthetic")
}
