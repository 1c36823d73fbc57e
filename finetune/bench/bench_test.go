package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/graph/engine/sgemm"
	"graft/onnx/ort/orttest"
)

func tiny() Config {
	return Config{Rounds: 2, Threads: 1, Seed: 1, Rows: 400, Dim: 6, Images: 40, Batch: 16, Products: []Product{{5, 7, 3}, {40, 33, 60}}, Work: 1e-6}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		word, unit string
		items      float64
		batch      int
		total      int64 // of progress
	}{
		{Head, "rows", 400, 400, 2},
		{CNN, "images", 40, 16, 3 * 40},
		{ViT, "images", 40, 16, 3 * 40},
	} {
		t.Run(c.word, func(t *testing.T) {
			var last int64
			cases, err := Run(context.Background(), c.word, tiny(), func(done, total int64) {
				if total != c.total || done <= last {
					t.Errorf("progress %d of %d after %d, want a total of %d", done, total, last, c.total)
				}
				last = done
			})
			if err != nil || len(cases) != 1 || last != c.total {
				t.Fatalf("cases %+v, progress to %d of %d, error %v", cases, last, c.total, err)
			}
			got := cases[0]
			if items := got.ItemsPerSecond * got.Seconds; !(math.Abs(items-c.items) < 1e-6) || got.Name != c.word || got.Unit != c.unit {
				t.Errorf("%+v: %v items, want %v %s", got, items, c.items, c.unit)
			}
			if got.Batch != c.batch || got.Provider != provider || got.Precision != precision || got.Baseline != "" {
				t.Errorf("%+v, want batch %d", got, c.batch)
			}
		})
	}
}

func TestRunProducts(t *testing.T) {
	orttest.Require(t)
	var calls []int64
	cases, err := Run(context.Background(), SGEMM, tiny(), func(done, total int64) {
		if total != 8 {
			t.Errorf("progress of %d, want 8", total)
		}
		calls = append(calls, done)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(calls, want) {
		t.Errorf("progress %v, want %v", calls, want)
	}
	names := []string{"sgemm/5x7x3/onnxruntime", "sgemm/5x7x3/graft", "sgemm/40x33x60/onnxruntime", "sgemm/40x33x60/graft"}
	if len(cases) != len(names) {
		t.Fatalf("cases %+v", cases)
	}
	for i, c := range cases {
		want := []float64{2 * 5 * 7 * 3 / 1e9, 2 * 40 * 33 * 60 / 1e9}[i/2]
		if got := c.ItemsPerSecond * c.Seconds; c.Name != names[i] || !(math.Abs(got/want-1) < 1e-6) || c.Unit != "GFLOP" {
			t.Errorf("case %+v of %v GFLOP, want %s of %v", c, got, names[i], want)
		}
		if i%2 == 1 && (c.Baseline != names[i-1] || !(c.Ratio > 0) || len(c.Ratios) != 2) {
			t.Errorf("case %+v, want a ratio to %s", c, names[i-1])
		}
	}
	if cases[0].Provider != "cpu" || cases[1].Provider != provider {
		t.Errorf("providers %s and %s", cases[0].Provider, cases[1].Provider)
	}
}

// A product that is wrong must not be measured.
func TestProductsMustAgree(t *testing.T) {
	orttest.Require(t)
	d, err := newDuel(Product{9, 10, 11}, tiny())
	if err != nil {
		t.Fatal(err)
	}
	defer d.session.Close()
	if err := d.agree(context.Background()); err != nil {
		t.Error(err)
	}
	if slices.Max(d.ours) == 0 || slices.Contains(d.a, 0) {
		t.Error("the factors have zeros")
	}
	d.a = slices.Clone(d.a) // ONNX Runtime keeps the old one
	d.a[14] += 0.01
	if err := d.agree(context.Background()); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("a changed factor: error %v", err)
	}
}

func TestRepeats(t *testing.T) {
	orttest.Require(t)
	for work, want := range map[float64]int{1e-12: 1, 4e-3: 2, 5e-3: 3} {
		d, err := newDuel(Product{100, 100, 100}, Config{Work: work})
		if err != nil {
			t.Fatal(err)
		}
		if d.repeats != want {
			t.Errorf("%g GFLOP of products of 0.002: %d repeats, want %d", work, d.repeats, want)
		}
		d.session.Close()
	}
}

func TestFeatures(t *testing.T) {
	const rows, dim = 5000, 8
	x, y := Config{Rows: rows, Dim: dim, Seed: 1}.features()
	again, _ := Config{Rows: rows, Dim: dim, Seed: 1}.features()
	if !slices.Equal(x, again) {
		t.Error("the same seed gives other features")
	}
	if other, _ := (Config{Rows: rows, Dim: dim, Seed: 2}).features(); slices.Equal(x, other) {
		t.Error("another seed gives the same features")
	}
	var counts [classes]int
	for _, k := range y {
		counts[k]++
	}
	if slices.Min(counts[:]) == 0 || slices.Max(counts[:]) < 2*slices.Min(counts[:]) {
		t.Errorf("labels %v, want unequal classes, none empty", counts)
	}
	if c := strongest(x, rows, dim); !(c > 0.3 && c < 0.9999) {
		t.Errorf("largest correlation of two columns is %v", c)
	}
}

// strongest is the largest absolute correlation between two columns.
func strongest(x []float32, n, d int) float64 {
	z, mean, best := make([]float64, n*d), make([]float64, d), 0.0
	for i, v := range x {
		mean[i%d] += float64(v) / float64(n)
	}
	for i, v := range x {
		z[i] = float64(v) - mean[i%d]
	}
	dot := func(a, b int) (sum float64) {
		for i := range n {
			sum += z[i*d+a] * z[i*d+b]
		}
		return sum
	}
	for a := range d {
		for b := range a {
			best = max(best, math.Abs(dot(a, b))/math.Sqrt(dot(a, a)*dot(b, b)))
		}
	}
	return best
}

func TestRotation(t *testing.T) {
	const n = 9
	q := rotation(rand.New(rand.NewPCG(1, 2)), n)
	product := make([]float32, n*n)
	sgemm.Threads(0).Gemm(true, false, n, n, n, 1, q, n, q, n, 0, product, n)
	for i, v := range product {
		want := 0.0
		if i/n == i%n {
			want = 1
		}
		if !(math.Abs(float64(v)-want) < 1e-5) {
			t.Errorf("QᵀQ[%d,%d] = %v, want %v", i/n, i%n, v, want)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		word, want string
		change     func(*Config)
	}{
		{Head, "0 rounds", func(c *Config) { c.Rounds = 0 }},
		{Head, "rows -1", func(c *Config) { c.Rows = -1 }},
		{Head, "dim -2", func(c *Config) { c.Dim = -2 }},
		{CNN, "images -3", func(c *Config) { c.Images = -3 }},
		{ViT, "batch -4", func(c *Config) { c.Batch = -4 }},
		{CNN, "threads -5", func(c *Config) { c.Threads = -5 }},
		{SGEMM, "product 0x1x1", func(c *Config) { c.Products = []Product{{0, 1, 1}} }},
		{SGEMM, "product 1x1x40000", func(c *Config) { c.Products = []Product{{1, 1, 40000}} }},
		{SGEMM, "work of NaN", func(c *Config) { c.Work = math.NaN() }},
		{"rnn", `unknown case "rnn", want one of head, cnn, vit, sgemm`, func(*Config) {}},
	} {
		config := tiny()
		c.change(&config)
		if _, err := Run(context.Background(), c.word, config, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestRunStops(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	for _, word := range []string{Head, CNN, ViT} {
		if _, err := Run(ctx, word, tiny(), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want the context's", word, err)
		}
	}
	orttest.Require(t)
	if _, err := Run(ctx, SGEMM, tiny(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%s: error %v, want the context's", SGEMM, err)
	}
}

func TestDefaults(t *testing.T) {
	c := Config{Rounds: 1}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if c.Rows != 28709 || c.Dim != 768 || c.Images != 28709 || c.Work != defaultWork || !slices.Equal(c.Products, defaultProducts()) {
		t.Errorf("defaults %+v", c)
	}
}
