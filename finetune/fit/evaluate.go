package fit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/engine"
)

// Evaluator computes a model's logits. Its methods may be called from several goroutines; one at a time computes, on all
// the threads that it was given.
type Evaluator struct {
	mu        sync.Mutex // guards all below: a program has one set of buffers
	net       nets.Net
	program   *engine.Program
	g         *graph.Graph
	x, logits *graph.Node
	in        []float32
	rows      []int
}

// NewEvaluator compiles the model's inference for batches of a size; threads 0 means all cores. Its weights are zeros
// until [Evaluator.Use].
func NewEvaluator(net nets.Net, batch, threads int) (*Evaluator, error) {
	if err := within("batch", float64(batch), 1, maxBatch); err != nil {
		return nil, err
	}
	e := &Evaluator{net: net, rows: make([]int, 0, batch)}
	var err error
	if e.g, e.logits, err = inference(net, batch); err != nil {
		return nil, err
	}
	e.x = e.g.Lookup("x")
	if e.program, err = engine.Compile(e.g, []*graph.Node{e.logits}, nil, engine.Options{Threads: threads}); err != nil {
		return nil, err
	}
	e.in = make([]float32, e.x.Shape().Size())
	return e, nil
}

// inference is the graph that gives logits of a batch, its input named x.
func inference(net nets.Net, batch int) (*graph.Graph, *graph.Node, error) {
	g := graph.New()
	x := g.Input("x", append([]int{batch}, net.InputShape()...)...)
	w, err := nets.Declare(g, net, nil)
	if err != nil {
		return nil, nil, err
	}
	return g, net.Forward(g, x, w, nets.Mode{}), nil
}

// Use sets the weights, by name.
func (e *Evaluator) Use(weights map[string][]float32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.net.Weights() {
		if w.Role == nets.Unused {
			continue
		}
		v, ok := weights[w.Name]
		if !ok {
			return fmt.Errorf("%s: weight %q is missing", e.net.Kind(), w.Name)
		}
		if err := e.program.Set(e.g.Lookup(w.Name), v); err != nil {
			return err
		}
	}
	return nil
}

// Logits is [examples.Len(),classes], the mean over the examples' views. progress, which may be nil, counts examples.
func (e *Evaluator) Logits(ctx context.Context, examples Examples, progress func(done, total int64)) ([]float32, error) {
	if got, want := examples.Shape(), e.net.InputShape(); !slices.Equal(got, want) {
		return nil, fmt.Errorf("examples of shape %v, the %s wants %v", got, e.net.Kind(), want)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n, k := examples.Len(), e.net.Classes()
	out := make([]float32, n*k)
	for from := 0; from < n; from += cap(e.rows) {
		e.rows = e.rows[:0]
		for i := from; i < min(n, from+cap(e.rows)); i++ {
			e.rows = append(e.rows, i)
		}
		if err := e.batch(ctx, examples, out[from*k:(from+len(e.rows))*k]); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(int64(from+len(e.rows)), int64(n))
		}
	}
	return out, nil
}

// batch adds up the views of e.rows. Rows past them keep what the last batch left; nobody reads their logits.
func (e *Evaluator) batch(ctx context.Context, examples Examples, out []float32) error {
	for view := range examples.Views() {
		if err := examples.View(e.in, view, e.rows); err != nil {
			return err
		}
		if err := e.program.Set(e.x, e.in); err != nil {
			return err
		}
		if err := e.program.Run(ctx); err != nil {
			return err
		}
		for i, v := range e.program.Value(e.logits)[:len(out)] {
			out[i] += v / float32(examples.Views())
		}
	}
	return nil
}

// Probabilities is the softmax of each row of logits [n,classes].
func Probabilities(logits []float32, classes int) []float32 {
	out := make([]float32, len(logits))
	for from := 0; from < len(logits); from += classes {
		row := logits[from : from+classes]
		total := logSum(row)
		for i, v := range row {
			out[from+i] = float32(math.Exp(float64(v) - total))
		}
	}
	return out
}

// Losses are the cross-entropies, in nats, of logits [len(labels),classes] against labels. They are computed from the
// logits, as PyTorch does: a probability that has become 0 in float32 still costs what its logit says.
func Losses(logits []float32, labels []int, classes int) []float64 {
	out := make([]float64, len(labels))
	for i, y := range labels {
		row := logits[i*classes : (i+1)*classes]
		out[i] = logSum(row) - float64(row[y])
	}
	return out
}

// Score is the mean of Losses and the share of labels that have the highest logit, of equal ones the first.
func Score(logits []float32, labels []int, classes int) (loss, accuracy float64) {
	for i, one := range Losses(logits, labels, classes) {
		loss += one
		if metrics.Argmax(logits[i*classes:(i+1)*classes]) == labels[i] {
			accuracy++
		}
	}
	return loss / float64(len(labels)), accuracy / float64(len(labels))
}

// logSum is log Σ exp of a row.
func logSum(row []float32) float64 {
	top := float64(slices.Max(row))
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
