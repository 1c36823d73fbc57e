package head

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func readFixture(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// regression is testdata/sklearn.json; scripts/fixtures_head.py makes it.
type regression struct {
	Rows, Dim, Classes int
	X                  []float32
	Y                  []int
	Cases              []regressionCase
}

type regressionCase struct {
	Name          string
	C, Loss       float64
	Balanced      bool
	Weight        [][]float64
	Bias          []float64
	Predictions   []int
	Probabilities [][]float64
}

// options are graft's for one of scikit-learn's fits.
func (r regression) options(c regressionCase) LBFGSOptions {
	var o LBFGSOptions
	if c.Balanced {
		o.ClassWeights = Balanced(r.Y, r.Classes)
	}
	var total float64
	for _, k := range r.Y {
		w := 1.0
		if c.Balanced {
			w = o.ClassWeights[k]
		}
		total += w
	}
	o.Lambda = LambdaFromC(c.C, 1) / total
	return o
}

func TestReachesSklearn(t *testing.T) {
	var r regression
	readFixture(t, "sklearn.json", &r)
	for _, c := range r.Cases {
		t.Run(c.Name, func(t *testing.T) {
			l, trace, err := FitLBFGS(context.Background(), r.X, r.Rows, r.Dim, r.Y, r.Classes, r.options(c))
			if err != nil {
				t.Fatal(err)
			}
			if !trace.Converged {
				t.Errorf("did not converge: %+v", trace.Last())
			}
			if got := trace.Last().Loss; !(math.Abs(got-c.Loss) <= 1e-5) {
				t.Errorf("loss %.8f, scikit-learn's is %.8f", got, c.Loss)
			}
			p := probabilities(l, r.X, r.Rows)
			if got := hits(p, c.Predictions, r.Classes); got < r.Rows-1 {
				t.Errorf("%d of %d predictions are scikit-learn's", got, r.Rows)
			}
			for i, row := range c.Probabilities {
				for k, want := range row {
					if got := float64(p[i*r.Classes+k]); !(math.Abs(got-want) <= 2e-3) {
						t.Errorf("probability of row %d, class %d is %.5f, scikit-learn's %.5f", i, k, got, want)
					}
				}
			}
			for k, row := range c.Weight {
				for j, want := range row {
					if got := float64(l.W[k*r.Dim+j]); !(math.Abs(got-want) <= 2e-2) {
						t.Errorf("weight %d,%d is %.5f, scikit-learn's %.5f", k, j, got, want)
					}
				}
			}
		})
	}
}

// The trace's loss is the loss of the head that comes back.
func TestLossIsThatOfTheHead(t *testing.T) {
	var r regression
	readFixture(t, "sklearn.json", &r)
	o := r.options(r.Cases[0])
	l, trace, err := FitLBFGS(context.Background(), r.X, r.Rows, r.Dim, r.Y, r.Classes, o)
	if err != nil {
		t.Fatal(err)
	}
	var loss, square float64
	p := probabilities(l, r.X, r.Rows)
	for i, k := range r.Y {
		loss -= math.Log(float64(p[i*r.Classes+k]))
	}
	for _, w := range l.W {
		square += float64(w) * float64(w)
	}
	loss = loss/float64(r.Rows) + o.Lambda/2*square
	if got := trace.Last().Loss; !(math.Abs(got-loss) <= 1e-6) {
		t.Fatalf("trace ends at %.8f, the head's loss is %.8f", got, loss)
	}
}
