package extract

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"
)

// machine is a backbone on a clock of its own: n images take what cost says, those
// of several streams one after the other.
type machine struct {
	cost func(n int) time.Duration
	fail func(n int) error
	mu   sync.Mutex
	at   time.Time
}

func (m *machine) run(ctx context.Context, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = m.at.Add(m.cost(n))
	if m.fail != nil {
		return m.fail(n)
	}
	return ctx.Err()
}

func (m *machine) batchTuner(most int) *batchTuner {
	return &batchTuner{run: m.run, now: func() time.Time { return m.at }, most: most, streams: 1, budget: autoBudget}
}

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

func TestChoose(t *testing.T) {
	errMemory := errors.New("out of memory")
	// The third pass over the sizes is slow, as when another program gets a core.
	calls := 0
	for _, tc := range []struct {
		name    string
		most    int
		cost    func(n int) time.Duration
		fail    func(n int) error
		want    int
		measure int // sizes
	}{
		{"linear", 256, func(n int) time.Duration { return ms(10 * float64(n)) }, nil, 1, 3},
		{"accelerator", 256, func(n int) time.Duration { return ms(8 + 0.01*float64(n)) }, nil, 256, 9},
		{"cache ends at 8", 256, func(n int) time.Duration { return ms(3 + float64(n)*float64(1+max(0, n-8))) }, nil, 8, 6},
		{"small dataset", 6, func(n int) time.Duration { return ms(8 + 0.01*float64(n)) }, nil, 4, 3},
		{"one image at most", 1, func(n int) time.Duration { return ms(5) }, nil, 1, 1},
		{"very slow", 256, func(n int) time.Duration { return 20 * time.Second }, nil, 2, 2},
		{"memory ends at 16", 256, func(n int) time.Duration { return ms(8) }, func(n int) error {
			if n > 16 {
				return errMemory
			}
			return nil
		}, 16, 5},
		{"disturbed", 4, func(n int) time.Duration {
			if calls++; calls > 7 {
				return ms(500)
			}
			return ms(4 + float64(n))
		}, nil, 4, 3},
	} {
		m := &machine{cost: tc.cost, fail: tc.fail}
		got, rates, err := m.batchTuner(tc.most).choose(context.Background())
		if err != nil || got.Batch != tc.want || len(rates) != tc.measure {
			t.Errorf("%s: batch %d of %v, %v; want %d of %d", tc.name, got.Batch, rates, err, tc.want, tc.measure)
		}
	}
}

// TestChooseStreams: where inferences at once are in each other's way, half of them
// are taken.
func TestChooseStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		cost func(atOnce, n int) float64 // milliseconds
		want int
	}{
		"as many cores":      {func(atOnce, n int) float64 { return 4 + float64(n) }, 8},
		"half as many":       {func(atOnce, n int) float64 { return (4 + float64(n)) * max(1, float64(atOnce)/4) }, 8},
		"memory is too slow": {func(atOnce, n int) float64 { return (4 + float64(n)) * max(1, float64(atOnce*atOnce)/16) }, 4},
	} {
		s := &streams{cost: tc.cost}
		c := &batchTuner{run: s.run, now: s.now, most: 4, streams: 8, budget: autoBudget}
		got, rates, err := c.choose(context.Background())
		if err != nil || got.Batch != 4 || got.Streams != tc.want || len(rates) != 4 {
			t.Errorf("%s: %+v of %v, %v; want 4 images in %d streams", name, got, rates, err, tc.want)
		}
	}
}

// streams is a machine on which runs go on beside each other, at a price that
// depends on how many there are.
type streams struct {
	cost   func(atOnce, n int) float64
	mu     sync.Mutex
	atOnce int
	took   float64
	at     time.Time
}

func (s *streams) run(_ context.Context, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.atOnce++
	s.took = s.cost(s.atOnce, n)
	return nil
}

func (s *streams) now() time.Time {
	s.at = s.at.Add(ms(s.took))
	s.atOnce, s.took = 0, 0
	return s.at
}

// TestChooseKeepsTheBudget: beyond the first steps nothing is begun that would
// not end in time.
func TestChooseKeepsTheBudget(t *testing.T) {
	for _, image := range []float64{0.2, 3, 40, 200, 900} {
		m := &machine{cost: func(n int) time.Duration { return ms(2 + image*float64(n)) }}
		if _, _, err := m.batchTuner(256).choose(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := m.at.Sub(time.Time{}); took > autoBudget+ms(2*(2+image)+2+image) {
			t.Errorf("%v ms an image: chose for %v", image, took)
		}
	}
}

func TestChooseFails(t *testing.T) {
	broken := errors.New("no such tensor")
	m := &machine{cost: func(int) time.Duration { return ms(1) }, fail: func(int) error { return broken }}
	if _, _, err := m.batchTuner(64).choose(context.Background()); !errors.Is(err, broken) {
		t.Errorf("a backbone that never runs: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m = &machine{cost: func(n int) time.Duration {
		if n == 4 {
			cancel()
		}
		return ms(1)
	}}
	if _, _, err := m.batchTuner(64).choose(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while it measures: %v", err)
	}
}

// TestInterruptedIsNotBad: an image that was not decoded because the run ended is not
// left out of a store for good.
func TestInterruptedIsNotBad(t *testing.T) {
	c := Config{SkipBad: true}
	if c.tolerates(fmt.Errorf("photos: a.jpg: %w", context.Canceled)) || !c.tolerates(fs.ErrNotExist) {
		t.Error("an interruption is taken for a bad image, or a missing file is not")
	}
}
