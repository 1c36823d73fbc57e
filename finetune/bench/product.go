package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"graft/graph/engine/sgemm"
	"graft/internal/measure"
	"graft/onnx"
	"graft/onnx/session"
	"graft/pretrained"
)

// Product is the shape of a matrix product: [M,K] times [K,N].
type Product struct{ M, N, K int }

// defaultProducts are a small square one and that of a ViT-B/16 on 32 images of
// 197 tokens.
func defaultProducts() []Product { return []Product{{512, 512, 512}, {6304, 768, 768}} }

// maxSide bounds M, N and K, so that sizes and element counts do not overflow.
const maxSide = 1 << 15

func (p Product) String() string { return fmt.Sprintf("%dx%dx%d", p.M, p.N, p.K) }

func (p Product) check() error {
	if least, most := min(p.M, p.N, p.K), max(p.M, p.N, p.K); least < 1 || most > maxSide {
		return fmt.Errorf("product %v: want sides from 1 to %d", p, maxSide)
	}
	return nil
}

// gflop is the work of one product, a multiplication and an addition each.
func (p Product) gflop() float64 { return 2 * float64(p.M) * float64(p.N) * float64(p.K) / 1e9 }

// products measures each shape on ONNX Runtime and on graft, two cases each.
// Both sides get both factors anew with every product: neither can pack one of
// them once and for all, as ONNX Runtime does with weights.
func (c Config) products(ctx context.Context, progress func(done, total int64)) ([]measure.Case, error) {
	var cases []measure.Case
	for i, p := range c.Products {
		shift := func(done, total int64) { progress(int64(i)*total+done, int64(len(c.Products))*total) }
		pair, err := c.product(ctx, p, shift)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", p, err)
		}
		cases = append(cases, pair...)
	}
	return cases, nil
}

func (c Config) product(ctx context.Context, p Product, progress func(done, total int64)) (cases []measure.Case, err error) {
	d, err := newDuel(p, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.session.Close()) }()
	if err := d.agree(ctx); err != nil {
		return nil, err
	}
	pairs, err := measure.Alternate(ctx, c.Rounds, d.timed(d.runtime), d.timed(d.graft), progress)
	if err != nil {
		return nil, err
	}
	base := fmt.Sprintf("%s/%v/", SGEMM, p)
	theirs := measured(base+"onnxruntime", p.gflop(), flopUnit, 1, pairs.A)
	theirs.Provider = string(d.session.Provider())
	ours := measured(base+"graft", p.gflop(), flopUnit, 1, pairs.B)
	ours.Baseline, ours.Ratios = theirs.Name, pairs.Ratios()
	ours.Ratio = measure.Median(ours.Ratios)
	return []measure.Case{theirs, ours}, nil
}

// duel is one product set up on both sides.
type duel struct {
	Product
	a, b         []float32 // [M,K], [K,N]
	ours, theirs []float32 // [M,N]
	session      session.Session
	in, out      []session.Tensor
	repeats      int // in a round
	threads      sgemm.Threads
}

func newDuel(p Product, c Config) (*duel, error) {
	r := rand.New(rand.NewPCG(c.Seed, 0x6761))
	d := &duel{Product: p, a: normals(r, p.M*p.K), b: normals(r, p.K*p.N), ours: make([]float32, p.M*p.N), theirs: make([]float32, p.M*p.N), threads: sgemm.Threads(c.Threads)}
	d.repeats = int(max(1, math.Ceil(c.Work/p.gflop())))
	m, n, k := int64(p.M), int64(p.N), int64(p.K)
	d.in = []session.Tensor{{Name: "a", Shape: []int64{m, k}, Data: d.a}, {Name: "b", Shape: []int64{k, n}, Data: d.b}}
	d.out = []session.Tensor{{Name: "c", Shape: []int64{m, n}, Data: d.theirs}}
	// ONNX Runtime's own choice may be fewer threads than graft's, so it is told.
	var err error
	d.session, err = pretrained.OpenModel(matMul(m, n, k), session.Options{Provider: session.CPU, Threads: d.threads.Count()})
	return d, err
}

// matMul is a model of one node: c [m,n] = a [m,k] times b [k,n].
func matMul(m, n, k int64) *onnx.Model {
	model := &onnx.Model{Name: "product", Opset: 17, Producer: "graft"}
	b := onnx.NewBuilder(model)
	x := b.Input("a", onnx.Float32, onnx.Dim{Value: m}, onnx.Dim{Value: k})
	y := b.Input("b", onnx.Float32, onnx.Dim{Value: k}, onnx.Dim{Value: n})
	b.Output("c", b.Op("MatMul", "c", []string{x, y}), onnx.Float32, onnx.Dim{Value: m}, onnx.Dim{Value: n})
	return model
}

func (d *duel) runtime(ctx context.Context) error { return d.session.Run(ctx, d.in, d.out) }

func (d *duel) graft(ctx context.Context) error {
	d.threads.Gemm(false, false, d.M, d.N, d.K, 1, d.a, d.K, d.b, d.N, 0, d.ours, d.N)
	return ctx.Err()
}

// timed is the time of one product, the mean of a round's. One more goes before:
// it wakes this side's threads, and the other's stop spinning meanwhile.
func (d *duel) timed(multiply func(context.Context) error) measure.Work {
	return func(ctx context.Context) (time.Duration, error) {
		if err := multiply(ctx); err != nil {
			return 0, err
		}
		start := time.Now()
		for range d.repeats {
			if err := multiply(ctx); err != nil {
				return 0, err
			}
		}
		return time.Since(start) / time.Duration(d.repeats), nil
	}
}

// agree multiplies on both sides and compares: a fast wrong product is none.
func (d *duel) agree(ctx context.Context) error {
	if err := errors.Join(d.runtime(ctx), d.graft(ctx)); err != nil {
		return err
	}
	// Sums of K products of standard normal numbers, in float32.
	limit := 1e-6 * float64(d.K)
	for i, v := range d.ours {
		if diff := math.Abs(float64(v) - float64(d.theirs[i])); !(diff <= limit) {
			return fmt.Errorf("element %d is %g, ONNX Runtime has %g: they differ by more than %g", i, v, d.theirs[i], limit)
		}
	}
	return nil
}
