package head

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestFitGDLearns(t *testing.T) {
	x, y := blobs(40, 1000, 6, 3, 0.5)
	var seen []*Linear
	o := GDOptions{LearningRate: 1e-2, Seed: 3, Epoch: func(e Epoch, l *Linear) error {
		if e.Epoch != len(seen)+1 {
			t.Errorf("epoch %d came as number %d", e.Epoch, len(seen)+1)
		}
		seen = append(seen, l)
		return nil
	}}
	l, epochs, err := FitGD(context.Background(), x, 1000, 6, y, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(epochs) != 10 || len(seen) != 10 {
		t.Fatalf("%d epochs and %d calls, want 10", len(epochs), len(seen))
	}
	if first, last := epochs[0].TrainLoss, epochs[9].TrainLoss; !(last < first/2) {
		t.Errorf("loss went from %g to %g", first, last)
	}
	if got := hits(l.Probabilities(x, 1000), y, 3); got < 950 {
		t.Errorf("%d of 1000 correct", got)
	}
	if slices.Equal(seen[0].W, seen[9].W) || !slices.Equal(seen[9].W, l.W) {
		t.Error("the heads shown are not those after each epoch")
	}
	again, _, err := FitGD(context.Background(), x, 1000, 6, y, 3, GDOptions{LearningRate: 1e-2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(l.W, again.W) || !slices.Equal(l.B, again.B) {
		t.Error("the same seed gave another head")
	}
}

func TestGDStartsAsPyTorch(t *testing.T) {
	x, y := blobs(41, 10, 400, 7, 1)
	var start *Linear
	stop := errors.New("stop")
	o := GDOptions{LearningRate: 1e-30, Epochs: 1, Epoch: func(_ Epoch, l *Linear) error { start = l; return stop }}
	if _, _, err := FitGD(context.Background(), x, 10, 400, y, 7, o); !errors.Is(err, stop) {
		t.Fatalf("error %v, want the callback's", err)
	}
	var low, high float64
	for _, w := range start.W {
		low, high = min(low, float64(w)), max(high, float64(w))
	}
	// Uniform within ±1/√400.
	if !(low >= -0.05 && low < -0.0495 && high <= 0.05 && high > 0.0495) {
		t.Errorf("weights lie within [%g, %g], want ±0.05", low, high)
	}
}

func TestGDStops(t *testing.T) {
	x, y := blobs(42, 100, 4, 2, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := FitGD(ctx, x, 100, 4, y, 2, GDOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	x[17] = float32(math.NaN())
	if _, _, err := FitGD(context.Background(), x, 100, 4, y, 2, GDOptions{}); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("error %v, want one about NaN", err)
	}
	if _, _, err := FitGD(context.Background(), x, 100, 4, y, 2, GDOptions{Batch: -1}); err == nil {
		t.Error("a batch of −1 was taken")
	}
}
