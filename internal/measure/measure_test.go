package measure_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"graft/internal/measure"
)

func ExampleAlternate() {
	slow := func(context.Context) (time.Duration, error) { return 2 * time.Second, nil }
	fast := func(context.Context) (time.Duration, error) { return time.Second, nil }
	p, err := measure.Alternate(context.Background(), 3, slow, fast, nil)
	fmt.Println(p.Ratios(), measure.Median(p.Ratios()), err)
	// Output: [2 2 2] 2 <nil>
}

func TestAlternateTakesTurns(t *testing.T) {
	var order strings.Builder
	work := func(name string) measure.Work {
		return func(context.Context) (time.Duration, error) {
			order.WriteString(name)
			return time.Millisecond, nil
		}
	}
	var last int64
	_, err := measure.Alternate(context.Background(), 3, work("a"), work("b"), func(done, total int64) {
		if total != 6 || done != last+1 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || order.String() != "abbaab" {
		t.Errorf("order %q, error %v; want abbaab", order.String(), err)
	}
}

func TestAlternateFails(t *testing.T) {
	broken := errors.New("broken")
	ok := func(context.Context) (time.Duration, error) { return time.Second, nil }
	bad := func(context.Context) (time.Duration, error) { return 0, broken }
	if _, err := measure.Alternate(context.Background(), 2, ok, bad, nil); !errors.Is(err, broken) {
		t.Errorf("error %v, want the work's", err)
	}
	if _, err := measure.Alternate(context.Background(), 0, ok, ok, nil); err == nil {
		t.Error("no rounds were accepted")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 100}, 3},
	} {
		if got := measure.Median(c.x); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}
