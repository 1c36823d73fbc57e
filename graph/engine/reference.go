package engine

import (
	"fmt"
	"math"

	"graft/graph"
)

// Reference runs a graph in float64 with the plainest loops: the yardstick for the compiled program's kernels and for
// finite differences. It is slow, and applies no updates.
type Reference struct{ values map[*graph.Node][]float64 }

// NewReference starts from the parameters' initial values.
func NewReference(g *graph.Graph) (*Reference, error) {
	if err := g.Err(); err != nil {
		return nil, err
	}
	r := &Reference{map[*graph.Node][]float64{}}
	for _, p := range g.Parameters(true) {
		v := make([]float64, p.Shape().Size())
		for i, x := range p.Initial() {
			v[i] = float64(x)
		}
		r.values[p] = v
	}
	return r, nil
}

// Set gives an input or parameter its value; the slice is not copied.
func (r *Reference) Set(n *graph.Node, v []float64) error {
	if len(v) != n.Shape().Size() {
		return fmt.Errorf("engine: %v wants %d values, got %d", n, n.Shape().Size(), len(v))
	}
	r.values[n] = v
	return nil
}

// Eval computes the outputs afresh.
func (r *Reference) Eval(outputs ...*graph.Node) ([][]float64, error) {
	memo := map[*graph.Node][]float64{}
	var eval func(n *graph.Node) ([]float64, error)
	eval = func(n *graph.Node) (v []float64, err error) {
		if v, ok := memo[n]; ok {
			return v, nil
		}
		defer func() { memo[n] = v }()
		if len(n.Inputs()) == 0 {
			return r.leaf(n)
		}
		in := make([][]float64, len(n.Inputs()))
		for i, x := range n.Inputs() {
			if in[i], err = eval(x); err != nil {
				return nil, err
			}
		}
		f := references[n.Op()]
		if f == nil {
			return nil, fmt.Errorf("engine: %v: the reference does not know %s", n, n.Op())
		}
		return f(n, in)
	}
	out := make([][]float64, len(outputs))
	for i, n := range outputs {
		var err error
		if out[i], err = eval(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *Reference) leaf(n *graph.Node) ([]float64, error) {
	if n.Op() == graph.OpConstant {
		return n.Value(), nil
	}
	if v, ok := r.values[n]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("engine: %v was not set", n)
}

type reference = func(n *graph.Node, in [][]float64) ([]float64, error)

var references = map[graph.Op]reference{
	graph.OpReshape:            func(_ *graph.Node, in [][]float64) ([]float64, error) { return in[0], nil },
	graph.OpExpand:             pointwise(func(v []float64) float64 { return v[0] }),
	graph.OpTranspose:          refTranspose,
	graph.OpConcat:             refConcat,
	graph.OpSlice:              refSlice,
	graph.OpPad:                refPad,
	graph.OpGather:             refGather,
	graph.OpScatterRows:        refScatter,
	graph.OpReduceSum:          refReduce(0, func(a, x float64) float64 { return a + x }),
	graph.OpReduceMean:         refMean,
	graph.OpReduceMax:          refReduce(math.Inf(-1), math.Max),
	graph.OpMatMul:             refMatMul,
	graph.OpSoftmax:            rows(refSoftmax),
	graph.OpLogSoftmax:         rows(refLogSoftmax),
	graph.OpLayerNormalization: refLayerNorm,
	graph.OpBatchNormalization: refBatchNorm,
	graph.OpConv:               refConv,
	graph.OpConvInputGrad:      refConvInputGrad,
	graph.OpConvWeightGrad:     refConvWeightGrad,
	graph.OpMaxPool:            refMaxPool,
	graph.OpMaxPoolGrad:        refMaxPoolGrad,
	graph.OpAveragePool:        refAveragePool,
	graph.OpAveragePoolGrad:    refAveragePoolGrad,
	graph.OpDropout:            refDropout,

	graph.OpAdd:            pointwise(func(v []float64) float64 { return v[0] + v[1] }),
	graph.OpSub:            pointwise(func(v []float64) float64 { return v[0] - v[1] }),
	graph.OpMul:            pointwise(func(v []float64) float64 { return v[0] * v[1] }),
	graph.OpDiv:            pointwise(func(v []float64) float64 { return v[0] / v[1] }),
	graph.OpNeg:            pointwise(func(v []float64) float64 { return -v[0] }),
	graph.OpExp:            pointwise(func(v []float64) float64 { return math.Exp(v[0]) }),
	graph.OpLog:            pointwise(func(v []float64) float64 { return math.Log(v[0]) }),
	graph.OpSqrt:           pointwise(func(v []float64) float64 { return math.Sqrt(v[0]) }),
	graph.OpTanh:           pointwise(func(v []float64) float64 { return math.Tanh(v[0]) }),
	graph.OpErf:            pointwise(func(v []float64) float64 { return math.Erf(v[0]) }),
	graph.OpRelu:           pointwise(func(v []float64) float64 { return math.Max(v[0], 0) }),
	graph.OpGelu:           pointwise(func(v []float64) float64 { return v[0] / 2 * (1 + math.Erf(v[0]/math.Sqrt2)) }),
	graph.OpEqual:          pointwise(func(v []float64) float64 { return truth(v[0] == v[1]) }),
	graph.OpGreater:        pointwise(func(v []float64) float64 { return truth(v[0] > v[1]) }),
	graph.OpGreaterOrEqual: pointwise(func(v []float64) float64 { return truth(v[0] >= v[1]) }),
	graph.OpLess:           pointwise(func(v []float64) float64 { return truth(v[0] < v[1]) }),
	graph.OpLessOrEqual:    pointwise(func(v []float64) float64 { return truth(v[0] <= v[1]) }),
	graph.OpWhere: pointwise(func(v []float64) float64 {
		if v[0] != 0 {
			return v[1]
		}
		return v[2]
	}),
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// each visits all indices of a shape in row-major order; the index slice is reused.
func each(s graph.Shape, f func(at int, index []int)) {
	index := make([]int, len(s))
	for at := range s.Size() {
		f(at, index)
		for a := len(s) - 1; a >= 0; a-- {
			if index[a]++; index[a] < s[a] {
				break
			}
			index[a] = 0
		}
	}
}

// broadcastStrides are an operand's strides under a result's shape, 0 along repeated axes.
func broadcastStrides(operand, result graph.Shape) []int {
	own, out := operand.Strides(), make([]int, len(result))
	extra := len(result) - len(operand)
	for i, size := range operand {
		if size != 1 {
			out[extra+i] = own[i]
		}
	}
	return out
}

func dot(a, b []int) int {
	sum := 0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func pointwise(f func(v []float64) float64) reference {
	return func(n *graph.Node, in [][]float64) ([]float64, error) {
		strides := make([][]int, len(in))
		for i, x := range n.Inputs() {
			strides[i] = broadcastStrides(x.Shape(), n.Shape())
		}
		out, v := make([]float64, n.Shape().Size()), make([]float64, len(in))
		each(n.Shape(), func(at int, index []int) {
			for i := range in {
				v[i] = in[i][dot(strides[i], index)]
			}
			out[at] = f(v)
		})
		return out, nil
	}
}

// rows applies f to every vector of the last axis.
func rows(f func(dst, src []float64)) reference {
	return func(n *graph.Node, in [][]float64) ([]float64, error) {
		d, out := n.Dim(-1), make([]float64, n.Shape().Size())
		for i := 0; i < len(out); i += d {
			f(out[i:i+d], in[0][i:i+d])
		}
		return out, nil
	}
}

func refLogSoftmax(dst, src []float64) {
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

func refSoftmax(dst, src []float64) {
	refLogSoftmax(dst, src)
	for i, x := range dst {
		dst[i] = math.Exp(x)
	}
}
