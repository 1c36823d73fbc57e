package engine

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// numbers is a tensor of a fixture.
type numbers struct {
	Shape []int
	Data  []float64
}

func (n numbers) float32s() []float32 {
	out := make([]float32, len(n.Data))
	for i, v := range n.Data {
		out[i] = float32(v)
	}
	return out
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// close compares element by element, relative to the larger of 1 and the values' size.
func close(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: wanted %d values, got %d", what, len(want), len(got))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: element %d: wanted %.8g, got %.8g", what, i, want[i], got[i])
		}
	}
}

func widen(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
