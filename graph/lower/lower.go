// Package lower turns inference graphs of package graph into ONNX models: each operation becomes the ONNX operator that
// the registry names, parameters become initialisers. [Nodes] adds a graph to a model under construction.
//
// # The batch
//
// Graphs have static shapes, the ONNX model takes any number of examples. The rule: build the graph for a batch of one.
// Every value that depends on an input then has the batch as its first axis, possibly multiplied with what was joined
// onto it ([N,T,D] reshaped to [N·T,D]): in the model its first size is N times the graph's. Reshape therefore writes -1
// for the first axis and the graph's sizes for the rest. An operation that would mix examples or move the batch away
// from the front (a sum over the first axis, a transpose of it, broadcasting against a parameter that has rows there) is
// an error that names it.
//
// Operations that only training graphs have (dropout, gradients) are refused.
package lower

import (
	"fmt"
	"maps"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// Opset is the version of ONNX's operators that the models use: the first with Gelu.
const Opset = 20

// Options of Nodes.
type Options struct {
	// Inputs gives the value in the model for each input of the graph by name. All inputs that the outputs depend on
	// are needed.
	Inputs map[string]string
	// Weights gives each parameter's value by name, row-major; nil takes the parameters' initial values.
	Weights map[string][]float32
}

// Nodes adds to b's model what the outputs depend on, and returns the outputs' names in it. The first axis of every
// input is the batch, see the package's comment.
func Nodes(b *onnx.Builder, outputs []*graph.Node, o Options) ([]string, error) {
	l := &lowerer{b: b, options: o, names: map[*graph.Node]string{}, batched: map[*graph.Node]bool{}}
	for _, n := range order(outputs) {
		name, err := l.lower(n)
		if err != nil {
			return nil, fmt.Errorf("lower to ONNX: %v: %w", n, err)
		}
		l.names[n] = name
	}
	var names []string
	for i, n := range outputs {
		if l.names[n] == "" {
			return nil, fmt.Errorf("lower to ONNX: output %d was not built", i)
		}
		names = append(names, l.names[n])
	}
	return names, nil
}

// order lists what the outputs depend on, operands first.
func order(outputs []*graph.Node) []*graph.Node {
	found := map[*graph.Node]bool{}
	open := slices.Clone(outputs)
	for len(open) > 0 {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		if n != nil && n.ID() >= 0 && !found[n] {
			found[n] = true
			open = append(open, n.Inputs()...)
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b *graph.Node) int { return a.ID() - b.ID() })
}

// lowerer holds what was built so far.
type lowerer struct {
	b       *onnx.Builder
	options Options
	names   map[*graph.Node]string
	batched map[*graph.Node]bool // whether the first axis is the batch
}

func (l *lowerer) lower(n *graph.Node) (string, error) {
	switch n.Op() {
	case graph.OpInput:
		return l.input(n)
	case graph.OpParameter:
		return l.parameter(n)
	case graph.OpConstant:
		return l.floats(n, narrow(n.Value())), nil
	}
	r, ok := rules[n.Op()]
	switch {
	case trainingOnly[n.Op()]:
		return "", fmt.Errorf("%s is an operation of training graphs; build the graph for inference", n.Op())
	case !ok:
		return "", fmt.Errorf("there is no ONNX operator known for %s", n.Op())
	}
	if slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return l.batched[x] }) {
		if err := r.batch(l, n); err != nil {
			return "", err
		}
		l.batched[n] = true
	}
	return r.emit(l, n), nil
}

func (l *lowerer) input(n *graph.Node) (string, error) {
	name, ok := l.options.Inputs[n.Name()]
	if !ok {
		return "", fmt.Errorf("no value of the model is given for this input")
	}
	if len(n.Shape()) == 0 || n.Dim(0) != 1 {
		return "", fmt.Errorf("the graph is built for another batch than 1: its first axis becomes any number in ONNX")
	}
	l.batched[n] = true
	return name, nil
}

func (l *lowerer) parameter(n *graph.Node) (string, error) {
	v := n.Initial()
	if l.options.Weights != nil {
		v = l.options.Weights[n.Name()]
	}
	if len(v) != n.Shape().Size() {
		return "", fmt.Errorf("wanted %d values for this parameter, got %d", n.Shape().Size(), len(v))
	}
	return l.floats(n, v), nil
}

func (l *lowerer) floats(n *graph.Node, v []float32) string {
	return l.b.Const(n.Name(), onnx.Float32, longs(n.Shape()), onnx.Float32s(v))
}

// op adds a node for n: its operands, then further inputs.
func (l *lowerer) op(n *graph.Node, op string, more []string, attrs ...onnx.Attr) string {
	return l.b.Op(op, n.Name(), append(l.operands(n), more...), attrs...)
}

func (l *lowerer) operands(n *graph.Node) []string {
	var in []string
	for _, x := range n.Inputs() {
		in = append(in, l.names[x])
	}
	return in
}

// ints adds a vector of whole numbers that n's operator takes as an input.
func (l *lowerer) ints(n *graph.Node, what string, v []int) string {
	return l.b.Int64s(n.Name()+"/"+what, longs(v)...)
}

func longs[S ~[]int](v S) []int64 {
	var out []int64
	for _, x := range v {
		out = append(out, int64(x))
	}
	return out
}

func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
