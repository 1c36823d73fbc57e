// Package lower turns inference graphs of package graph into ONNX models: each operation takes the ONNX form of its row,
// parameters become initialisers. [Nodes] adds a graph to a model under construction.
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
	"errors"
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
}

// Nodes adds to b's model what the outputs depend on, and returns the outputs' names in it. The first axis of every
// input is the batch, see the package's comment.
func Nodes(b *onnx.Builder, outputs []*graph.Node, o Options) ([]string, error) {
	w := &graph.Writer{Builder: b, Names: map[*graph.Node]string{}, Batched: map[*graph.Node]bool{}}
	for _, n := range order(outputs) {
		if err := o.node(w, n); err != nil {
			return nil, fmt.Errorf("lower to ONNX: %v: %w", n, err)
		}
	}
	var names []string
	for i, n := range outputs {
		if w.Names[n] == "" {
			return nil, fmt.Errorf("lower to ONNX: output %d was not built", i)
		}
		names = append(names, w.Names[n])
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

// node adds a node whose operands were added.
func (o Options) node(w *graph.Writer, n *graph.Node) error {
	switch n.Op() {
	case graph.OpInput:
		return o.input(w, n)
	case graph.OpParameter:
		return parameter(w, n)
	case graph.OpConstant:
		if n.Type() == graph.Int {
			w.Names[n] = integers(w, n)
			return nil
		}
		v := make([]float32, len(n.Value()))
		for i, x := range n.Value() {
			v[i] = float32(x)
		}
		w.Initializer(n, v)
		return nil
	}
	return w.Operation(n)
}

func (o Options) input(w *graph.Writer, n *graph.Node) error {
	name, ok := o.Inputs[n.Name()]
	if !ok {
		return errors.New("no value of the model is given for this input")
	}
	if len(n.Shape()) == 0 || n.Dim(0) != 1 {
		return errors.New("the graph is built for another batch than 1: its first axis becomes any number in ONNX")
	}
	w.Names[n], w.Batched[n] = name, true
	return nil
}

func parameter(w *graph.Writer, n *graph.Node) error {
	v, err := n.Initial()
	if err == nil && v == nil {
		err = errors.New("this parameter has no values")
	}
	if err == nil {
		w.Initializer(n, v)
	}
	return err
}

// integers adds constant indices.
func integers(w *graph.Writer, n *graph.Node) string {
	dims, v := []int64{}, make([]int64, len(n.Value()))
	for _, d := range n.Shape() {
		dims = append(dims, int64(d))
	}
	for i, x := range n.Value() {
		v[i] = int64(x)
	}
	return w.Const(n.Name(), onnx.Int64, dims, onnx.Int64s(v))
}
