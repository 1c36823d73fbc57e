package head

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

func ExampleFitCV() {
	x, y := blobs(1, 400, 5, 3, 1)
	l, _, s, err := FitCV(context.Background(), x, 400, 5, y, 3, CVOptions{Seed: 1})
	fmt.Println(l.Classes, l.Dim, s.Fitted, len(s.Held), err)
	// Output: 3 5 360 40 <nil>
}

// Many features and few rows: the weakest penalty overfits, the strongest
// learns nothing, and the choice lies between.
func TestSelectStrength(t *testing.T) {
	const n, d = 600, 150
	x, y := blobs(30, n, d, 4, 6)
	s, err := selectStrength(context.Background(), x, n, d, y, 4, CVOptions{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	best := s.Candidates[0]
	for _, c := range s.Candidates {
		if c.Accuracy > best.Accuracy || c.Accuracy == best.Accuracy && c.Loss < best.Loss {
			best = c
		}
	}
	if s.Lambda != best.Lambda || s.Lambda == defaultGrid[len(defaultGrid)-1] {
		t.Errorf("chose λ %g, the hold-out says %+v", s.Lambda, best)
	}
	if len(s.Candidates) == len(defaultGrid) {
		t.Errorf("tried all of the grid although nothing improved: %+v", s.Candidates)
	}
	again, err := selectStrength(context.Background(), x, n, d, y, 4, CVOptions{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.Candidates {
		again.Candidates[i].Seconds = s.Candidates[i].Seconds
	}
	if !reflect.DeepEqual(s, again) {
		t.Error("the same seed chose otherwise")
	}
}

// The hold-out's loss and accuracy are those of the head on its rows.
func TestSelectionJudgesTheHoldout(t *testing.T) {
	const n, d = 400, 6
	x, y := blobs(31, n, d, 3, 2)
	s, err := selectStrength(context.Background(), x, n, d, y, 3, CVOptions{Seed: 8, Grid: []float64{0.01}})
	if err != nil {
		t.Fatal(err)
	}
	_, held, err := HoldOut(y, 3, nil, 0.1, 8)
	if err != nil {
		t.Fatal(err)
	}
	var loss float64
	correct := 0
	for _, i := range held {
		p := probabilities(s.Head, x[i*d:(i+1)*d], 1)
		loss -= math.Log(float64(p[y[i]]))
		correct += hits(p, y[i:i+1], 3)
	}
	c := s.Candidates[0]
	if want := loss / float64(len(held)); !(math.Abs(c.Loss-want) <= 1e-5) {
		t.Errorf("loss %g, want %g", c.Loss, want)
	}
	if want := float64(correct) / float64(len(held)); c.Accuracy != want {
		t.Errorf("accuracy %g, want %g", c.Accuracy, want)
	}
}

func TestSelectErrors(t *testing.T) {
	x, y := blobs(32, 30, 2, 2, 1)
	for want, o := range map[string]CVOptions{
		"no strengths":     {Grid: []float64{}},
		"grid is -1":       {Grid: []float64{1, -1}},
		"29 group numbers": {Groups: make([]int, 29)},
		"too few":          {Groups: make([]int, 30)},
	} {
		if _, err := selectStrength(context.Background(), x, 30, 2, y, 2, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// With class weights the hold-out's accuracy is weighted too.
func TestSelectionWeighsTheHoldout(t *testing.T) {
	x, y := blobs(33, 300, 4, 2, 3)
	o := CVOptions{Seed: 9, Grid: []float64{0.1}, LBFGS: LBFGSOptions{ClassWeights: []float64{1, 1e-9}}}
	s, err := selectStrength(context.Background(), x, 300, 4, y, 2, o)
	if err != nil {
		t.Fatal(err)
	}
	// All weight lies on class 0, which the head then always says.
	if got := s.Candidates[0].Accuracy; !(math.Abs(got-1) <= 1e-6) {
		t.Errorf("weighted accuracy %g, want 1", got)
	}
}
