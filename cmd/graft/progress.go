package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// lineProgress prints a plain line at every tenth of the work, with rate and
// time left: for logs and pipes.
func lineProgress(w io.Writer, label string) func(done, total int64) {
	var mu sync.Mutex
	next, start, first := int64(0), time.Now(), int64(-1)
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if first < 0 {
			first = done // work that an earlier run did has no part in the rate
		}
		if total <= 0 || done*10/total < next {
			return
		}
		next = done*10/total + 1
		rate := float64(done-first) / time.Since(start).Seconds()
		line := fmt.Sprintf("%s: %d of %d", label, done, total)
		if done > first && rate > 0 {
			left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
			line += fmt.Sprintf(", %.0f/s, %v left", rate, left)
		}
		fmt.Fprintln(w, line)
	}
}
