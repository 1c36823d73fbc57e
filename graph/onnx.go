package graph

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
)

// Writer adds operations to an ONNX model, each in the ONNX form of its row. Package lower gives it the leaves.
type Writer struct {
	*onnx.Builder
	Names   map[*Node]string // of the values written so far, in the model
	Batched map[*Node]bool   // values whose first axis is the batch
}

// Operation adds an operation whose operands have names. That it would mix examples or move the batch away from the
// front, or that only training graphs have it, is an error.
func (w *Writer) Operation(n *Node) error {
	r := rows[n.op]
	if r.batch == nil {
		return fmt.Errorf("%s is an operation of training graphs; build the graph for inference", n.op)
	}
	if slices.ContainsFunc(n.in, func(x *Node) bool { return w.Batched[x] }) {
		if err := r.batch(w, n); err != nil {
			return err
		}
		w.Batched[n] = true
	}
	if r.write != nil {
		w.Names[n] = r.write(w, n)
	} else {
		w.Names[n] = w.operator(n)
	}
	return nil
}

// Initializer adds a leaf as a tensor of the model.
func (w *Writer) Initializer(n *Node, v []float32) {
	w.Names[n] = w.Const(n.name, onnx.Float32, int64s(n.shape), onnx.Float32s(v))
}

// operator adds the operator of n's name and operands.
func (w *Writer) operator(n *Node, attrs ...onnx.Attr) string {
	return w.Op(string(n.op), n.name, w.operands(n), attrs...)
}

// operands are the names of n's operands, and of further inputs of its operator.
func (w *Writer) operands(n *Node, more ...string) []string {
	var in []string
	for _, x := range n.in {
		in = append(in, w.Names[x])
	}
	return append(in, more...)
}

// ints adds a vector of whole numbers that n's operator takes as an input.
func (w *Writer) ints(n *Node, what string, v []int) string {
	return w.Int64s(n.name+"/"+what, int64s(v)...)
}

// formula adds the operations that n's formula consists of.
func (w *Writer) formula(n *Node) string {
	nodes := Formula(n)
	for i, f := range nodes {
		switch {
		case i < len(n.in):
			w.Names[f], w.Batched[f] = w.Names[n.in[i]], w.Batched[n.in[i]]
		case f.op == OpConstant:
			v := make([]float32, len(f.value))
			for i, x := range f.value {
				v[i] = float32(x)
			}
			w.Initializer(f, v)
		default:
			if err := w.Operation(f); err != nil {
				panic(fmt.Sprintf("graph: the formula of %s in ONNX: %v", n.op, err)) // element by element, it keeps any batch
			}
		}
	}
	return w.Names[nodes[len(nodes)-1]]
}

func attr(name string, value any) onnx.Attr { return onnx.Attr{Name: name, Value: value} }

func int64s(v []int) []int64 {
	var out []int64
	for _, x := range v {
		out = append(out, int64(x))
	}
	return out
}

func flag(b bool) int64 { return int64(truth(b)) }

// The conditions on which operations keep the batch as their first axis and examples apart. They are asked only where
// an operand has the batch. A value's first size in the graph, k, stands for k·N.

// batchBroadcasts: operands with the batch have the result's rank and first size, the others do not reach the first axis.
func batchBroadcasts(w *Writer, n *Node) error {
	rank := len(n.shape)
	for _, x := range n.in {
		s := x.shape
		switch {
		case w.Batched[x] && (len(s) != rank || s[0] != n.shape[0]):
			return fmt.Errorf("operand %v has the batch as first axis, and broadcasting to %v would move or repeat it", x, n.shape)
		case !w.Batched[x] && len(s) == rank && s[0] != 1:
			return fmt.Errorf("operand %v does not depend on the batch, but has %d rows along it", x, s[0])
		}
	}
	return nil
}

// batchFirstOperand: only the first operand has the batch.
func batchFirstOperand(w *Writer, n *Node) error {
	for _, x := range n.in[1:] {
		if w.Batched[x] {
			return fmt.Errorf("operand %v depends on the batch, want a parameter", x)
		}
	}
	return nil
}

// batchBeforeLast: there is an axis behind the batch.
func batchBeforeLast(_ *Writer, n *Node) error {
	if len(n.shape) < 2 {
		return errors.New("it works along the batch")
	}
	return nil
}

// batchUncut: nothing is cut from or put onto the batch.
func batchUncut(_ *Writer, n *Node) error {
	if n.shape[0] != n.in[0].shape[0] {
		return errors.New("it cuts or pads the batch")
	}
	return nil
}
