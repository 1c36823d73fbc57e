package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// A line comes every few seconds, however long the work takes, and at its end.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		name, label string
		step        time.Duration
		from, total int64
		by          int64
		want        []string
	}{
		{"over in a moment", "x (images)", time.Millisecond, 0, 20, 1, nil},
		{"short", "x (images)", 50 * time.Millisecond, 0, 20, 1, []string{"x: 100%, 20 of 20 images, 20 images/s, in 1s"}},
		{"one", "x (images)", time.Second, 0, 1, 1, []string{"x: 100%, 1 of 1 image, 1 images/s, in 1s"}},
		{"slow", "x (images)", 4 * time.Second, 0, 5, 1, []string{
			"x: 40%, 2 of 5 images, 0.25 images/s, 12s left", "x: 80%, 4 of 5 images, 0.25 images/s, 4s left", "x: 100%, 5 of 5 images, 0.25 images/s, in 20s"}},
		{"continued", "x (images)", 6 * time.Second, 98, 100, 1, []string{
			"x: 99%, 99 of 100 images, 0.167 images/s, 6s left", "x: 100%, 100 of 100 images, 0.167 images/s, in 12s"}},
		{"bytes", "x (bytes)", 6 * time.Second, 0, 90e6, 45e6, []string{
			"x: 50%, 45.0 of 90.0 MB, 7.5 MB/s, 6s left", "x: 100%, 90.0 of 90.0 MB, 7.5 MB/s, in 12s"}},
		{"unknown total", "x (bytes)", 3 * time.Second, 0, 0, 30e6, []string{"x: 60.0 MB, 10 MB/s", "x: 120.0 MB, 10 MB/s"}},
		{"nothing counted", "reading x (2).csv", 6 * time.Second, 0, 3, 1, []string{
			"reading x (2).csv: 33%, 12s left", "reading x (2).csv: 66%, 6s left", "reading x (2).csv: 100%, in 18s"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			tell := newProgress(&cli.Context{App: &cli.App{ErrWriter: &out}}, c.label)
			time.Sleep(time.Hour) // until the work begins
			for done := c.from; done <= max(c.total, 4*c.by); done += c.by {
				tell(done, c.total)
				if time.Sleep(c.step); done == c.total && done > 0 {
					break
				}
			}
			if c.total > 0 {
				tell(c.total, c.total) // once more is not told once more
			}
			if got := strings.TrimSpace(out.String()); got != strings.Join(c.want, "\n") {
				t.Errorf("%s:\n%s\nwant\n%s", c.name, got, strings.Join(c.want, "\n"))
			}
		})
	}
}

// Whatever it tells of, a line of progress stays one line of 80 columns.
func TestProgressFits(t *testing.T) {
	for _, label := range []string{"reading", "extracting " + strings.Repeat("ä", 200) + ".onnx (images)", "downloading (bytes)"} {
		for _, total := range []int64{0, 7, 1e12} {
			p := progress{label: label, of: total}
			for _, done := range []int64{0, 3, 123456789} {
				if line := p.line(done, 1e-3); utf8.RuneCountInString(line) > lineWidth {
					t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
				}
			}
		}
	}
}

// A drawn line covers the one before, and what else is written begins a line.
func TestDraw(t *testing.T) {
	var out bytes.Buffer
	w := &plainWriter{to: &out}
	w.draw("long line", false)
	w.draw("short", false)
	if _, err := w.Write([]byte("note\n")); err != nil {
		t.Fatal(err)
	}
	w.draw("end\x1b", true)
	if got, want := out.String(), "\rlong line\rshort    \r     \rnote\n\rend\\u001b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
