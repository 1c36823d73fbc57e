package knn

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/graph/engine/sgemm"
)

// fixture is testdata/sklearn.json; scripts/fixtures_knn.py makes it.
type fixture struct {
	Dim, Classes int
	X, Q         []float32
	Labels       []int
	Cases        []struct {
		K                         int
		Vote                      string
		Predicted                 []int
		Probabilities, Similarity [][]float64
		Neighbours                [][]int32
	}
}

// TestSklearn compares neighbours, shares and predictions with scikit-learn's
// KNeighborsClassifier(metric="cosine", algorithm="brute").
func TestSklearn(t *testing.T) {
	data, err := os.ReadFile("testdata/sklearn.json")
	var f fixture
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		ix, err := New(slices.Clone(f.X), f.Dim, f.Labels, f.Classes, 0)
		if err != nil {
			t.Fatal(err)
		}
		vote, err := ParseVote(c.Vote)
		if err != nil {
			t.Fatal(err)
		}
		nb, err := ix.Search(context.Background(), slices.Clone(f.Q), c.K, nil)
		if err != nil {
			t.Fatal(err)
		}
		shares := ix.Shares(nb, vote)
		for i := range c.Predicted {
			for j, want := range c.Neighbours[i] {
				if got := nb.Rows[i*c.K+j]; got != want {
					t.Errorf("k %d, query %d: neighbour %d is row %d, want %d", c.K, i, j, got, want)
				}
				if d := float64(nb.Similarity[i*c.K+j]) - c.Similarity[i][j]; !(math.Abs(d) <= 1e-6) {
					t.Errorf("k %d, query %d: cosine %d is %g away", c.K, i, j, d)
				}
			}
			row := shares[i*f.Classes : (i+1)*f.Classes]
			for k, want := range c.Probabilities[i] {
				if d := float64(row[k]) - want; !(math.Abs(d) <= 1e-5) {
					t.Errorf("k %d, %s votes, query %d, class %d: share %g, want %g", c.K, vote, i, k, row[k], want)
				}
			}
			if got := slices.Index(row, slices.Max(row)); got != c.Predicted[i] {
				t.Errorf("k %d, %s votes, query %d: class %d, want %d", c.K, vote, i, got, c.Predicted[i])
			}
		}
	}
}

// made is n rows of random features whose length varies; some are copies of the
// row before, times a power of two, which leaves their direction alone.
func made(n, dim int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n*dim)
	for i := range n {
		if i > 0 && rng.IntN(4) == 0 {
			for j := range dim {
				x[i*dim+j] = 2 * x[(i-1)*dim+j]
			}
			continue
		}
		for j := range dim {
			x[i*dim+j] = float32(rng.NormFloat64())
		}
	}
	return x
}

func labelsOf(n int) []int {
	y := make([]int, n)
	for i := range y {
		y[i] = i % 3
	}
	return y
}

func index(t testing.TB, n, dim int, seed uint64) *Index {
	t.Helper()
	ix, err := New(made(n, dim, seed), dim, labelsOf(n), 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// sorted is the slow way: all similarities in float64, sorted by the rule.
func (ix *Index) sorted(q []float32, skip func(row int) bool) []int32 {
	similar := make([]float64, ix.Len())
	var rows []int32
	for i := range similar {
		for j, v := range q {
			similar[i] += float64(v) * float64(ix.x[i*ix.dim+j])
		}
		if !skip(i) {
			rows = append(rows, int32(i))
		}
	}
	slices.SortStableFunc(rows, func(a, b int32) int {
		if d := similar[b] - similar[a]; math.Abs(d) > 1e-6 {
			return int(math.Copysign(1, d))
		}
		return int(a - b)
	})
	return rows
}

// TestBlocks crosses the borders of blocks, with rows that are equal: those must
// come in the order of their rows wherever they lie.
func TestBlocks(t *testing.T) {
	for _, c := range []struct{ rows, queries, dim, k int }{
		{1, 1, 1, 1}, {3, 5, 2, 3}, {2048, 3, 5, 7}, {2049, 17, 9, 4}, {4100, 513, 12, 9}, {2500, 40, 800, 20},
	} {
		ix, q := index(t, c.rows, c.dim, 7), made(c.queries, c.dim, 8)
		nb, err := ix.Search(context.Background(), q, c.k, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < c.queries; i += 1 + c.queries/20 {
			want := ix.sorted(q[i*c.dim:(i+1)*c.dim], func(int) bool { return false })[:c.k]
			if got := nb.Rows[i*c.k : (i+1)*c.k]; !slices.Equal(got, want) {
				t.Errorf("%+v, query %d: rows %v, want %v", c, i, got, want)
			}
		}
	}
}

func TestLeaveOneOut(t *testing.T) {
	const n, dim, k = 2300, 6, 5
	ix := index(t, n, dim, 3)
	twins := make([]int, n)
	for i := range twins {
		twins[i] = i % (n / 2)
	}
	for name, groups := range map[string][]int{"alone": nil, "twins": twins} {
		nb, err := ix.LeaveOneOut(context.Background(), k, groups, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += 97 {
			own := func(row int) bool { return row == i || groups != nil && twins[row] == twins[i] }
			want := ix.sorted(ix.x[i*dim:(i+1)*dim], own)[:k]
			if got := nb.Rows[i*k : (i+1)*k]; !slices.Equal(got, want) {
				t.Errorf("%s, row %d: rows %v, want %v", name, i, got, want)
			}
		}
	}
}

func TestThreadsChangeNothing(t *testing.T) {
	ix, q := index(t, 2100, 33, 1), made(600, 33, 2)
	var first Neighbours
	for _, threads := range []int{1, 2, 5} {
		ix.threads = sgemm.Threads(threads)
		nb, err := ix.Search(context.Background(), slices.Clone(q), 11, nil)
		if err != nil {
			t.Fatal(err)
		}
		if threads == 1 {
			first = nb
		}
		if !slices.Equal(nb.Rows, first.Rows) || !slices.Equal(nb.Similarity, first.Similarity) {
			t.Errorf("%d threads give other neighbours than 1", threads)
		}
	}
}

func TestTiesGoToTheFirstClass(t *testing.T) {
	ix, err := New([]float32{0, 1, 0, 2, 0, 0}, 2, []int{2, 1, 0}, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	nb, err := ix.Search(context.Background(), []float32{0, 5, 0, 0}, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{0, 1, 2, 0, 1, 2}; !slices.Equal(nb.Rows, want) || nb.Similarity[0] != 1 || nb.Similarity[2] != 0 {
		t.Errorf("rows %v of cosines %v, want %v and 0 for the row of zeros", nb.Rows, nb.Similarity, want)
	}
	third := float32(1.0 / 3)
	if got := ix.Shares(nb, Equal); !slices.Equal(got, []float32{third, third, third, third, third, third}) {
		t.Errorf("shares %v", got)
	}
	if got := ix.Shares(nb, Weighted); got[1] != got[2] || !(got[0] < 1e-6) {
		t.Errorf("weighted shares %v, want the row of zeros to count next to nothing", got)
	}
}

func TestRefuses(t *testing.T) {
	ctx := context.Background()
	nan := float32(math.NaN())
	ix := index(t, 10, 2, 1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		name string
		try  func() error
		want string
	}{
		{"empty", func() error { _, err := New(nil, 2, nil, 3, 0); return err }, "0 rows"},
		{"misshapen", func() error { _, err := New(make([]float32, 3), 2, []int{0}, 1, 0); return err }, "3 values"},
		{"label", func() error { _, err := New(make([]float32, 4), 2, []int{0, 3}, 3, 0); return err }, "row 1 has label 3"},
		{"nan", func() error { _, err := New([]float32{1, 2, 3, nan}, 2, []int{0, 1}, 2, 0); return err }, "row 1 holds NaN"},
		{"nan query", func() error { _, err := ix.Search(ctx, []float32{nan, 1}, 1, nil); return err }, "queries: row 0"},
		{"ragged queries", func() error { _, err := ix.Search(ctx, make([]float32, 3), 1, nil); return err }, "rows of 2"},
		{"no neighbours", func() error { _, err := ix.Search(ctx, make([]float32, 2), 0, nil); return err }, "1 to 10"},
		{"too many", func() error { _, err := ix.Search(ctx, make([]float32, 2), 11, nil); return err }, "1 to 10"},
		{"too many others", func() error { _, err := ix.LeaveOneOut(ctx, 10, nil, nil); return err }, "1 to 9"},
		{"groups", func() error { _, err := ix.LeaveOneOut(ctx, 1, []int{1}, nil); return err }, "want 10"},
		{"one group", func() error { _, err := ix.LeaveOneOut(ctx, 1, make([]int, 10), nil); return err }, "0 neighbours outside"},
		{"vote", func() error { _, err := ParseVote("loud"); return err }, "weighted or equal"},
		{"cancelled", func() error { _, err := ix.Search(cancelled, make([]float32, 2), 1, nil); return err }, "canceled"},
	} {
		if err := c.try(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := ix.Search(cancelled, make([]float32, 2), 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func BenchmarkSearch(b *testing.B) {
	ix, q := index(b, 8192, 768, 1), made(1024, 768, 2)
	b.SetBytes(2 * 8192 * 1024 * 768) // as if a FLOP were a byte
	for b.Loop() {
		if _, err := ix.Search(context.Background(), q, 20, nil); err != nil {
			b.Fatal(err)
		}
	}
}
