package graph

import (
	"fmt"
	"math"
)

// The exponential normalisations.
const (
	OpSoftmax    Op = "Softmax"
	OpLogSoftmax Op = "LogSoftmax"
)

// Softmax is exp(x)/Σexp(x) over the last axis, computed without overflow.
func (g *Graph) Softmax(x *Node) *Node { return g.apply(OpSoftmax, nil, x) }

// LogSoftmax is x - log Σexp(x) over the last axis, computed without overflow.
func (g *Graph) LogSoftmax(x *Node) *Node { return g.apply(OpLogSoftmax, nil, x) }

func lastAxisShape(in []*Node, _ any) (Shape, Type, error) {
	if len(in[0].shape) == 0 {
		return nil, 0, fmt.Errorf("wanted at least one axis, got a scalar")
	}
	return in[0].shape, Float, wantTypes(in, Float)
}

func logSoftmax(dst, src []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, x := range src {
		top = math.Max(top, x)
	}
	for _, x := range src {
		sum += math.Exp(x - top)
	}
	for i, x := range src {
		dst[i] = x - top - math.Log(sum)
	}
}

func writeOnLastAxis(w *Writer, n *Node) string { return w.operator(n, attr("axis", int64(-1))) }

func init() {
	// dx = y·(dy - Σ dy·y)
	register(OpSoftmax, row{min: 1, max: 1, shape: lastAxisShape, batch: batchBeforeLast, write: writeOnLastAxis,
		naive: func(n *Node, in [][]float64) ([]float64, error) {
			return eachRow(n, in[0], func(dst, src []float64) {
				logSoftmax(dst, src)
				for i, x := range dst {
					dst[i] = math.Exp(x)
				}
			}), nil
		},
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.Mul(n, g.Sub(dy, g.SumKeep(g.Mul(dy, n), -1)))}
		},
		fixtures: []string{"softmax", "attention"}})
	// dx = dy - softmax(x)·Σdy
	register(OpLogSoftmax, row{min: 1, max: 1, shape: lastAxisShape, batch: batchBeforeLast, write: writeOnLastAxis,
		naive: func(n *Node, in [][]float64) ([]float64, error) { return eachRow(n, in[0], logSoftmax), nil },
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.Sub(dy, g.Mul(g.Exp(n), g.SumKeep(dy, -1)))}
		},
		fixtures: []string{"log_softmax", "cross_entropy"}})
}
