package audit

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// cleanlab is testdata/cleanlab.json; scripts/fixtures_audit.py makes it.
type cleanlab struct {
	Classes       int
	Labels        []int
	Probabilities []float32
	Thresholds    []float64
	Joint         [][]int
	Issues        []int
	Margins       []float64
}

func (c cleanlab) row(i int) []float32 { return c.Probabilities[i*c.Classes : (i+1)*c.Classes] }

func TestConfidentLearningIsCleanlabs(t *testing.T) {
	data, err := os.ReadFile("testdata/cleanlab.json")
	var want cleanlab
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := newConfident(want.Classes)
	for i, y := range want.Labels {
		c.learn(want.row(i), y)
	}
	c.settle()
	var issues []int
	for i, y := range want.Labels {
		c.count(want.row(i), y)
		if _, wrong := c.suspect(want.row(i), y); wrong {
			issues = append(issues, i)
		}
		if got := float64(margin(want.row(i), y)); !(math.Abs(got-want.Margins[i]) <= 1e-6) {
			t.Errorf("row %d: margin %g, numpy's %g", i, got, want.Margins[i])
		}
	}
	if !slices.Equal(issues, want.Issues) {
		t.Errorf("issues %v, cleanlab's %v", issues, want.Issues)
	}
	for k, v := range want.Thresholds {
		if !(math.Abs(c.threshold[k]-v) <= 1e-7) || !slices.Equal(c.joint[k], want.Joint[k]) {
			t.Errorf("class %d: threshold %g and joint %v, cleanlab's %g and %v", k, c.threshold[k], c.joint[k], v, want.Joint[k])
		}
	}
}

// A class without rows has no threshold, and is suggested to nobody.
func TestClassWithoutRows(t *testing.T) {
	c := newConfident(3)
	for range 4 {
		c.learn([]float32{0.6, 0.2, 0.2}, 0)
		c.learn([]float32{0.2, 0.6, 0.2}, 1)
	}
	c.settle()
	if k, wrong := c.suspect([]float32{0.1, 0.1, 0.8}, 0); wrong || k != -1 {
		t.Errorf("class %d is suggested (%v)", k, wrong)
	}
	if k, wrong := c.suspect([]float32{0.1, 0.7, 0.2}, 0); !wrong || k != 1 {
		t.Errorf("class %d is suggested (%v), want 1", k, wrong)
	}
}

func BenchmarkConfident(b *testing.B) {
	const rows, classes = 28709, 7
	r := rand.New(rand.NewPCG(1, 2))
	p, labels := make([]float32, rows*classes), make([]int, rows)
	for i := range p {
		p[i] = r.Float32() / 3
	}
	for i := range labels {
		labels[i] = r.IntN(classes)
	}
	for b.Loop() {
		c := newConfident(classes)
		for i, y := range labels {
			c.learn(p[i*classes:(i+1)*classes], y)
		}
		c.settle()
		for i, y := range labels {
			c.count(p[i*classes:(i+1)*classes], y)
			c.suspect(p[i*classes:(i+1)*classes], y)
		}
	}
}
