package engine

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"graft/graph"
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

// reference computes nodes in float64 by the operations' rows; inputs are given, parameters have their first values.
func reference(t *testing.T, g *graph.Graph, inputs map[*graph.Node][]float64, outputs ...*graph.Node) (want [][]float64) {
	t.Helper()
	values := map[*graph.Node][]float64{}
	for _, n := range g.Nodes() {
		switch {
		case inputs[n] != nil:
			values[n] = inputs[n]
		case n.Op() == graph.OpConstant:
			values[n] = n.Value()
		case n.Op() == graph.OpParameter:
			first, err := n.Initial()
			if err != nil {
				t.Fatal(err)
			}
			values[n] = widen(first)
		default:
			var in [][]float64
			for _, x := range n.Inputs() {
				in = append(in, values[x])
			}
			var err error
			if values[n], err = graph.Naive(n, in); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range outputs {
		want = append(want, values[n])
	}
	return want
}
