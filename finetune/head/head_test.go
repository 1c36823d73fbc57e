package head

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"graft/finetune/metrics"
	"graft/graph/engine/sgemm"
)

func ExampleFitLBFGS() {
	x := []float32{0, 1, 2, 3, 4, 5}
	y := []int{0, 0, 0, 1, 1, 1}
	l, trace, err := FitLBFGS(context.Background(), x, 6, 1, y, 2, LBFGSOptions{Lambda: LambdaFromC(1, 6)})
	fmt.Println(trace.Converged, err)
	for i, p := range probabilities(l, []float32{0, 2.5}, 2) {
		fmt.Printf("%d: %.3f\n", i, p)
	}
	// Output:
	// true <nil>
	// 0: 0.915
	// 1: 0.085
	// 2: 0.500
	// 3: 0.500
}

// blobs draws rows around one centre a class.
func blobs(seed uint64, n, d, classes int, spread float64) (x []float32, y []int) {
	r := rand.New(rand.NewPCG(seed, 1))
	centres := make([]float64, classes*d)
	for i := range centres {
		centres[i] = r.NormFloat64()
	}
	for range n {
		k := r.IntN(classes)
		y = append(y, k)
		for j := range d {
			x = append(x, float32(centres[k*d+j]+spread*r.NormFloat64()))
		}
	}
	return x, y
}

// hits counts the rows whose largest score is at their label.
func hits(scores []float32, y []int, classes int) int {
	correct := 0
	for i, want := range y {
		if metrics.Argmax(scores[i*classes:(i+1)*classes]) == want {
			correct++
		}
	}
	return correct
}

// probabilities is the softmax of the logits.
func probabilities(l *Linear, x []float32, n int) []float32 {
	p := l.Logits(x, n, 0)
	for from := 0; from < len(p); from += l.Classes {
		row, sum := p[from:from+l.Classes], 0.0
		top := slices.Max(row)
		for _, z := range row {
			sum += math.Exp(float64(z - top))
		}
		for k, z := range row {
			row[k] = float32(math.Exp(float64(z-top)) / sum)
		}
	}
	return p
}

func TestLogits(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for _, standardised := range []bool{false, true} {
		for _, n := range []int{1, 5, 300} {
			l := &Linear{Classes: 7, Dim: 50, W: normals(r, 350), B: normals(r, 7)}
			if standardised {
				l.Mean, l.Std = normals(r, 50), normals(r, 50)
				for j, s := range l.Std {
					l.Std[j] = 0.5 + s*s
				}
			}
			x := normals(r, n*50)
			old := slices.Clone(x)
			p := probabilities(l, x, n)
			if !slices.Equal(x, old) {
				t.Fatal("the features were changed")
			}
			for i := range n {
				for k, want := range slowProbabilities(l, x[i*50:(i+1)*50]) {
					if got := float64(p[i*7+k]); !(math.Abs(got-want) <= 1e-5) {
						t.Fatalf("standardised %v: row %d, class %d is %g, want %g", standardised, i, k, got, want)
					}
				}
			}
		}
	}
}

func normals(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func slowProbabilities(l *Linear, x []float32) []float64 {
	p := make([]float64, l.Classes)
	var sum float64
	for k := range p {
		z := float64(l.B[k])
		for j, v := range x {
			f := float64(v)
			if l.Mean != nil {
				f = (f - float64(l.Mean[j])) / float64(l.Std[j])
			}
			z += f * float64(l.W[k*l.Dim+j])
		}
		p[k] = math.Exp(z)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

func TestCheckNamesTheFault(t *testing.T) {
	for want, l := range map[string]Linear{
		"0 classes": {Dim: 3},
		"weight":    {Classes: 2, Dim: 3, W: make([]float32, 5), B: make([]float32, 2)},
		"mean":      {Classes: 1, Dim: 2, W: make([]float32, 2), B: make([]float32, 1), Mean: make([]float32, 1), Std: []float32{1, 1}},
		"feature 1": {Classes: 1, Dim: 2, W: make([]float32, 2), B: make([]float32, 1), Mean: make([]float32, 2), Std: []float32{1, 0}},
	} {
		if err := l.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// testProblem is a problem with everything: class weights, fewer rows than there
// are, columns far from 0.
func testProblem(t *testing.T) *problem {
	t.Helper()
	x, y := blobs(5, 300, 11, 5, 1)
	for i := range x {
		x[i] += float32(3 * (i % 11))
	}
	o := LBFGSOptions{ClassWeights: []float64{1, 2, 0.5, 3, 1}}
	p, err := newProblem(x, 300, 11, y, 5, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if i%3 > 0 {
			p.rows = append(p.rows, i)
		}
	}
	if err := p.measure(); err != nil {
		t.Fatal(err)
	}
	p.lambda = 0.05
	return p
}

func TestGradientAgainstFiniteDifferences(t *testing.T) {
	p := testProblem(t)
	r := rand.New(rand.NewPCG(8, 9))
	theta, grad, scrap := make([]float64, p.size()), make([]float64, p.size()), make([]float64, p.size())
	for i := range theta {
		theta[i] = r.NormFloat64() / 3
	}
	p.evaluate(theta, grad)
	// The loss carries float32's rounding of the logits, hence the wide step.
	const h = 4e-3
	for i, old := range theta {
		theta[i] = old + h
		up := p.evaluate(theta, scrap)
		theta[i] = old - h
		down := p.evaluate(theta, scrap)
		theta[i] = old
		if want := (up - down) / (2 * h); !(math.Abs(grad[i]-want) <= 5e-5) {
			t.Errorf("gradient %d is %.7f, differences say %.7f", i, grad[i], want)
		}
	}
}

func TestConditionerIsAChangeOfVariables(t *testing.T) {
	p := testProblem(t)
	c, err := newConditioner(p.moments, p.d, p.classes, p.lambda, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(10, 11))
	theta, v, back, g, gv := make([]float64, p.size()), make([]float64, p.size()), make([]float64, p.size()), make([]float64, p.size()), make([]float64, p.size())
	for i := range theta {
		theta[i], g[i] = r.NormFloat64(), r.NormFloat64()
	}
	c.enter(v, theta)
	c.leave(back, v)
	c.gradient(gv, g)
	var inTheta, inV float64
	for i := range theta {
		if !(math.Abs(back[i]-theta[i]) <= 1e-4) {
			t.Errorf("θ[%d] comes back as %g from %g", i, back[i], theta[i])
		}
		inTheta += g[i] * theta[i]
		inV += gv[i] * v[i]
	}
	// A directional derivative is the same in both.
	if !(math.Abs(inTheta-inV) <= 1e-3) {
		t.Errorf("gᵀθ is %g in one and %g in the other", inTheta, inV)
	}
}

func TestCholesky(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 13))
	for _, d := range []int{1, 5, 96, 97, 250} {
		a := normals(r, d*d)
		m := make([]float32, d*d)
		sgemm.Threads(0).Gemm(false, true, d, d, d, 1/float32(d), a, d, a, d, 0, m, d)
		for i := range d {
			m[i*d+i]++
		}
		want := slices.Clone(m)
		f, err := cholesky(m, d, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d {
			for j := range i + 1 {
				var s float64
				for k := range j + 1 {
					s += float64(f.l[i*d+k]) * float64(f.l[j*d+k])
				}
				if !(math.Abs(s-float64(want[i*d+j])) <= 1e-5) {
					t.Fatalf("%d: L·Lᵀ[%d,%d] is %g, want %g", d, i, j, s, want[i*d+j])
				}
			}
		}
		v := normals(r, 3*d)
		got := slices.Clone(v)
		f.solveTransposed(got, 3)
		f.solve(got, 3)
		for i := range 3 { // got·L·Lᵀ is v again
			for j := range d {
				var s float64
				for k := range d {
					s += float64(got[i*d+k]) * float64(want[max(j, k)*d+min(j, k)])
				}
				if !(math.Abs(s-float64(v[i*d+j])) <= 1e-4) {
					t.Fatalf("%d: solution times the matrix is %g at %d,%d, want %g", d, s, i, j, v[i*d+j])
				}
			}
		}
	}
	if _, err := cholesky([]float32{1, 0, 2, 1}, 2, 0); err == nil {
		t.Error("a matrix that is not positive definite was factored")
	}
}

func TestMoments(t *testing.T) {
	const n, d = 1000, 3
	r := rand.New(rand.NewPCG(14, 15))
	x := make([]float32, n*d)
	for i := range n {
		x[i*d] = float32(5000 + r.NormFloat64())
		x[i*d+1] = 0.1 // constant, and no binary fraction
		x[i*d+2] = float32(i % 2)
	}
	mean, std, err := features{x: x, n: n, d: d}.moments()
	if err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(float64(mean[0])-5000) <= 0.2) || !(math.Abs(float64(std[0])-1) <= 0.1) {
		t.Errorf("column around 5000: mean %g, std %g", mean[0], std[0])
	}
	if mean[1] != 0.1 || std[1] != 1 {
		t.Errorf("constant column: mean %g, std %g, want 0.1 and 1", mean[1], std[1])
	}
	if mean[2] != 0.5 || std[2] != 0.5 {
		t.Errorf("zeros and ones: mean %g, std %g, want ½ and ½", mean[2], std[2])
	}
	if mean, std, err = Moments(x, d, []int{1, 3, 5, 8}, 0); err != nil || mean[2] != 0.75 || !(math.Abs(float64(std[2])-math.Sqrt(3)/4) <= 1e-6) {
		t.Errorf("1, 1, 1, 0: mean %v, std %v (%v), want ¾ and √3/4", mean, std, err)
	}
	for _, rows := range [][]int{nil, {0, n}, {-1}} {
		if _, _, err := Moments(x, d, rows, 0); err == nil {
			t.Errorf("rows %v of %d: no error", rows, n)
		}
	}
	if _, _, err := Moments(x[1:], d, []int{0}, 0); err == nil {
		t.Error("a cut-off row: no error")
	}
}

// Columns that repeat each other leave the second moments without rank.
func TestRepeatedColumns(t *testing.T) {
	const n, d = 400, 300
	one, y := blobs(19, n, 1, 3, 1)
	x := make([]float32, 0, n*d)
	for _, v := range one {
		for j := range d {
			x = append(x, v*float32(j+1))
		}
	}
	_, want, err := FitLBFGS(context.Background(), one, n, 1, y, 3, LBFGSOptions{Lambda: 1e-5 * d})
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := FitLBFGS(context.Background(), x, n, d, y, 3, LBFGSOptions{Lambda: 1e-5 * d * d})
	if err != nil {
		t.Fatal(err)
	}
	// d equal columns share one column's weight w as w/d each, and its penalty.
	if !(math.Abs(got.Last().Loss-want.Last().Loss) <= 1e-5) {
		t.Errorf("loss %.7f of %d equal columns, %.7f of one", got.Last().Loss, d, want.Last().Loss)
	}
}

func TestSameBitsForAnyThreads(t *testing.T) {
	x, y := blobs(20, 2000, 40, 7, 2)
	var first *Linear
	for _, threads := range []int{1, 2, 4} {
		l, _, err := FitLBFGS(context.Background(), x, 2000, 40, y, 7, LBFGSOptions{Lambda: 0.01, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = l
		} else if !slices.Equal(l.W, first.W) || !slices.Equal(l.B, first.B) {
			t.Fatalf("%d threads gave other bits than 1", threads)
		}
	}
}

func TestWarmStart(t *testing.T) {
	x, y := blobs(21, 500, 10, 3, 2)
	cold, trace, err := FitLBFGS(context.Background(), x, 500, 10, y, 3, LBFGSOptions{Lambda: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	// The same head on features that are not standardised.
	raw := &Linear{Classes: 3, Dim: 10, W: slices.Clone(cold.W), B: slices.Clone(cold.B)}
	for k := range 3 {
		for j := range 10 {
			raw.W[k*10+j] /= cold.Std[j]
			raw.B[k] -= raw.W[k*10+j] * cold.Mean[j]
		}
	}
	for _, start := range []*Linear{cold, raw} {
		_, warm, err := FitLBFGS(context.Background(), x, 500, 10, y, 3, LBFGSOptions{Lambda: 0.01, Start: start})
		if err != nil {
			t.Fatal(err)
		}
		if warm.Evaluations > 3 || trace.Evaluations < 6 {
			t.Errorf("%d evaluations from the solution, %d from zeros", warm.Evaluations, trace.Evaluations)
		}
	}
}

// ending is a context that is done when it was asked so often.
type ending struct {
	context.Context
	asked int
}

func (e *ending) Err() error {
	if e.asked--; e.asked < 0 {
		return context.Canceled
	}
	return nil
}

// Fits of other strengths, weights and starts share what was measured once, to the bit.
func TestMeasuredOnce(t *testing.T) {
	x, y := blobs(1, 300, 6, 3, 1)
	shared := &Measured{}
	var start *Linear
	for _, o := range []LBFGSOptions{{Lambda: 0.1}, {Lambda: 0.01, ClassWeights: []float64{1, 2, 3}}, {Lambda: 0.01}} {
		o.Start = start
		want, _, err := FitLBFGS(t.Context(), x, 300, 6, y, 3, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Measured = shared
		got, _, err := FitLBFGS(t.Context(), x, 300, 6, y, 3, o)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("λ %g: %v, %v; want %v", o.Lambda, got, err, want)
		}
		start = got
	}
	if shared.moments == nil {
		t.Error("nothing was kept")
	}
	if _, _, err := FitLBFGS(t.Context(), slices.Clone(x), 300, 6, y, 3, LBFGSOptions{Lambda: 1, Measured: shared}); err == nil {
		t.Error("what was measured of other features was taken")
	}
}

func TestFitStopsWhenTold(t *testing.T) {
	x, y := blobs(23, 500, 10, 3, 2)
	if _, _, err := FitLBFGS(&ending{context.Background(), 4}, x, 500, 10, y, 3, LBFGSOptions{Lambda: 1e-4}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	_, trace, err := FitLBFGS(context.Background(), x, 500, 10, y, 3, LBFGSOptions{Lambda: 1e-4, MaxIterations: 2})
	if err != nil || trace.Converged || trace.Last().Iteration != 2 {
		t.Errorf("limit of 2 iterations: %+v, error %v", trace, err)
	}
}

func TestFitErrors(t *testing.T) {
	x, y := blobs(24, 20, 3, 2, 1)
	bad := slices.Clone(x)
	bad[3*7+1] = float32(math.NaN())
	inf := slices.Clone(x)
	inf[2] = float32(math.Inf(-1))
	for _, c := range []struct {
		name, want string
		x          []float32
		y          []int
		classes    int
		o          LBFGSOptions
	}{
		{"NaN", "feature 1 of row 7 is NaN", bad, y, 2, LBFGSOptions{Lambda: 1}},
		{"infinity", "feature 2 of row 0 is -Inf", inf, y, 2, LBFGSOptions{Lambda: 1}},
		{"label", "label of row 19", x, append(slices.Clone(y[:19]), 2), 2, LBFGSOptions{Lambda: 1}},
		{"too few labels", "19 labels", x, y[:19], 2, LBFGSOptions{Lambda: 1}},
		{"one class", "1 class:", x, make([]int, 20), 1, LBFGSOptions{Lambda: 1}},
		{"no strength", "λ is 0", x, y, 2, LBFGSOptions{}},
		{"class weights", "3 class weights, want 2", x, y, 2, LBFGSOptions{Lambda: 1, ClassWeights: make([]float64, 3)}},
		{"no weight", "weight 0", x, y, 2, LBFGSOptions{Lambda: 1, ClassWeights: make([]float64, 2)}},
		{"negative weight", "weight of class 0 is -1", x, y, 2, LBFGSOptions{Lambda: 1, ClassWeights: []float64{-1, -1}}},
		{"start", "head has 3 classes", x, y, 2, LBFGSOptions{Lambda: 1, Start: &Linear{Classes: 3, Dim: 1, W: make([]float32, 3), B: make([]float32, 3)}}},
	} {
		_, _, err := FitLBFGS(context.Background(), c.x, 20, 3, c.y, c.classes, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}
