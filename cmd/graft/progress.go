package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/internal/plural"
)

const (
	// lineWidth is how many columns a line of progress takes: one less than the narrowest terminal.
	lineWidth = columns.Width - 1
	// lineGap is the time between two lines in a file or pipe, drawGap that on a terminal.
	lineGap, drawGap = 5 * time.Second, 100 * time.Millisecond
	// bytesUnit is the unit of what is read, written or fetched.
	bytesUnit = "bytes"
)

// newProgress returns a progress function, safe for concurrent use, of work that is called label: what is done, and
// in parentheses the plural of what is counted, as in "extracting (images)". It tells how much is done, the rate and
// the time left, on a terminal in one line that is drawn anew, elsewhere in a line every few seconds.
func newProgress(c *cli.Context, label string) func(done, total int64) {
	if c.Bool(quiet) {
		return func(int64, int64) {}
	}
	return (&progress{out: c.App.ErrWriter, label: label}).tell
}

// progress is how far one piece of work is.
type progress struct {
	out   io.Writer
	label string

	mu          sync.Mutex
	start, last time.Time // of the first call with this total, of the last line
	first, of   int64     // what was done then, the total
	ended       bool
}

func (p *progress) tell(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total = max(total, 0) // unknown
	if p.start.IsZero() || total != p.of {
		// Work that an earlier run did has no part in the rate.
		p.start, p.last, p.first, p.of, p.ended = time.Now(), time.Now(), done, total, false
	}
	screen, gap := terminal(p.out), lineGap
	if screen != nil {
		gap = drawGap
	}
	end := total > 0 && done >= total
	if p.ended || !end && time.Since(p.last) < gap {
		return
	}
	p.last, p.ended = time.Now(), end
	if time.Since(p.start) < drawGap {
		return // over in a moment
	}
	line := p.line(done, time.Since(p.start).Seconds())
	if screen == nil {
		fmt.Fprintln(p.out, line)
		return
	}
	screen.draw(line, end)
}

// line is "extracting: 43%, 1234 of 2870 images, 85.2 images/s, 19s left".
func (p *progress) line(done int64, seconds float64) string {
	what, unit := p.label, ""
	if at := strings.LastIndex(p.label, " ("); at > 0 && strings.HasSuffix(p.label, ")") {
		what, unit = p.label[:at], strings.TrimSuffix(p.label[at+2:], ")")
	}
	var parts []string
	if p.of > 0 {
		parts = append(parts, fmt.Sprintf("%d%%", 100*done/p.of))
	}
	rate := float64(done-p.first) / seconds
	if unit != "" {
		parts = append(parts, amount(done, p.of, unit))
		if done > p.first && seconds > 0 {
			parts = append(parts, perSecond(rate, unit))
		}
	}
	switch {
	case p.of > 0 && done >= p.of:
		parts = append(parts, "in "+clock(seconds))
	case p.of > 0 && done > p.first && seconds > 0:
		parts = append(parts, clock(float64(p.of-done)/rate)+" left")
	}
	rest := strings.Join(parts, ", ")
	return shortened(what, lineWidth-len(": ")-utf8.RuneCountInString(rest)) + ": " + rest
}

func amount(done, total int64, unit string) string {
	switch {
	case unit == bytesUnit && total > 0:
		return fmt.Sprintf("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
	case unit == bytesUnit:
		return fmt.Sprintf("%.1f MB", float64(done)/1e6)
	case total > 0:
		return fmt.Sprintf("%d of %s", done, plural.Of(total, strings.TrimSuffix(unit, "s")))
	}
	return fmt.Sprintf("%d %s", done, unit)
}

func perSecond(rate float64, unit string) string {
	if unit == bytesUnit {
		rate, unit = rate/1e6, "MB"
	}
	if rate >= 100 {
		return fmt.Sprintf("%.0f %s/s", rate, unit)
	}
	return fmt.Sprintf("%.3g %s/s", rate, unit)
}

// clock is a time as people read it: "0.4s" below ten seconds, else "1m30s".
func clock(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Second {
		return fmt.Sprintf("%.2gs", d.Round(10*time.Millisecond).Seconds())
	}
	return d.Round(time.Second).String()
}

// shortened is text of at most n columns, its middle left out.
func shortened(text string, n int) string {
	r := []rune(text)
	if len(r) <= n || n < 2 {
		return text
	}
	return string(r[:n/2]) + "…" + string(r[len(r)-(n-1-n/2):])
}
