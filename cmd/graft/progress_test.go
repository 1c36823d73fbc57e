package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLineProgress(t *testing.T) {
	for _, c := range []struct {
		name        string
		step        time.Duration
		from, total int64
		want        []string
	}{
		{"over in a moment", time.Millisecond, 0, 20, []string{"x: 20 of 20, 1000/s, 0s left"}},
		{"slow", time.Second, 0, 4, []string{"x: 1 of 4, 1/s, 3s left", "x: 2 of 4, 1/s, 2s left", "x: 3 of 4, 1/s, 1s left", "x: 4 of 4, 1/s, 0s left"}},
		{"continued", time.Second, 98, 100, []string{"x: 99 of 100, 1/s, 1s left", "x: 100 of 100, 1/s, 0s left"}},
		{"unknown total", time.Second, 0, 0, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			progress := lineProgress(&out, "x")
			time.Sleep(time.Hour) // until the work begins
			for done := c.from; done <= max(c.total, 3); done++ {
				progress(done, c.total)
				time.Sleep(c.step)
			}
			if got := strings.TrimSpace(out.String()); got != strings.Join(c.want, "\n") {
				t.Errorf("%s:\n%s\nwant\n%s", c.name, got, strings.Join(c.want, "\n"))
			}
		})
	}
}

// A bar that starts without a total takes the one that comes later, and ends
// its line.
func TestBarProgress(t *testing.T) {
	var out bytes.Buffer
	progress := barProgress(&out, "x")
	progress(5, 0)
	progress(10, 40)
	progress(40, 40)
	if got := out.String(); !strings.Contains(got, "100%") || !strings.HasSuffix(got, "\n") {
		t.Errorf("bar %q, want 100%% and the end of the line", got)
	}
}
