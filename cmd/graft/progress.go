package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// barProgress draws a bar, or a spinner while the total is unknown.
func barProgress(w io.Writer, label string) func(done, total int64) {
	var mu sync.Mutex
	var bar *progressbar.ProgressBar
	var of int64 // bar's total
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if total <= 0 {
			total = -1 // the library's word for unknown
		}
		if bar == nil || total != of {
			of = total
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(label),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
		}
		_ = bar.Set64(done)
	}
}

// lineGap is the least time between two lines of lineProgress: work that is
// over in a moment prints its end only.
const lineGap = time.Second

// lineProgress prints a plain line at every tenth of the work, with rate and
// time left: for logs and pipes.
func lineProgress(w io.Writer, label string) func(done, total int64) {
	var mu sync.Mutex
	var start, last time.Time // of the first call, of the last line
	var next, first int64
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if start.IsZero() {
			// Work that an earlier run did has no part in the rate.
			start, last, first = time.Now(), time.Now(), done
		}
		if total <= 0 || done*10/total < next || done < total && time.Since(last) < lineGap {
			return
		}
		next, last = done*10/total+1, time.Now()
		rate := float64(done-first) / time.Since(start).Seconds()
		line := fmt.Sprintf("%s: %d of %d", label, done, total)
		if done > first && rate > 0 {
			left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
			line += fmt.Sprintf(", %.0f/s, %v left", rate, left)
		}
		fmt.Fprintln(w, line)
	}
}
