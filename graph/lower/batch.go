package lower

import (
	"errors"
	"fmt"
	"slices"

	"graft/graph"
)

// The conditions on which an operation keeps the batch as its first axis and examples apart. They are asked only where an
// operand has the batch. A value's first size in the graph, k, stands for k·N.

// broadcast: operands with the batch have the result's rank and first size, the others do not reach the first axis.
func broadcast(l *lowerer, n *graph.Node) error {
	if n.Op() == graph.OpMatMul && len(n.Shape()) == 2 {
		return matrices(l, n)
	}
	rank := len(n.Shape())
	for _, x := range n.Inputs() {
		s := x.Shape()
		switch {
		case l.batched[x] && (len(s) != rank || s[0] != n.Dim(0)):
			return fmt.Errorf("operand %v has the batch as first axis, and broadcasting to %v would move or repeat it", x, n.Shape())
		case !l.batched[x] && len(s) == rank && s[0] != 1:
			return fmt.Errorf("operand %v does not depend on the batch, but has %d rows along it", x, s[0])
		}
	}
	return nil
}

// matrices: the rows of the first operand are the batch's.
func matrices(l *lowerer, n *graph.Node) error {
	if l.batched[n.Inputs()[1]] || n.Attrs().(graph.MatMulAttrs).TransA {
		return errors.New("the product sums over the batch")
	}
	return nil
}

// firstOnly: only the first operand has the batch.
func firstOnly(l *lowerer, n *graph.Node) error {
	for _, x := range n.Inputs()[1:] {
		if l.batched[x] {
			return fmt.Errorf("operand %v depends on the batch, want a parameter", x)
		}
	}
	return nil
}

// lastAxis: there is an axis behind the batch.
func lastAxis(_ *lowerer, n *graph.Node) error {
	if len(n.Shape()) < 2 {
		return errors.New("it works along the batch")
	}
	return nil
}

// normalized: both; statistics of the batch make a training graph.
func normalized(l *lowerer, n *graph.Node) error {
	if err := firstOnly(l, n); err != nil {
		return fmt.Errorf("%w: build the graph for inference", err)
	}
	return lastAxis(l, n)
}

func reduction(_ *lowerer, n *graph.Node) error {
	if slices.Contains(n.Attrs().(graph.ReduceAttrs).Axes, 0) {
		return errors.New("it reduces over the batch")
	}
	return nil
}

// reshapeBatch: as the batch is outermost, any shape with a first axis will do.
func reshapeBatch(_ *lowerer, n *graph.Node) error {
	if len(n.Shape()) == 0 {
		return errors.New("a scalar has no axis for the batch")
	}
	return nil
}

func transposeBatch(_ *lowerer, n *graph.Node) error {
	if perm := n.Attrs().(graph.TransposeAttrs).Perm; perm[0] != 0 {
		return fmt.Errorf("the order of axes %v moves the batch away from the front", perm)
	}
	return nil
}

func concatBatch(l *lowerer, n *graph.Node) error {
	if n.Attrs().(graph.ConcatAttrs).Axis == 0 {
		return errors.New("it joins along the batch")
	}
	for _, x := range n.Inputs() {
		if !l.batched[x] {
			return fmt.Errorf("operand %v does not depend on the batch and has no rows for it: pad with zeros and add it instead", x)
		}
	}
	return nil
}

// wholeFirst: nothing is cut from or put onto the batch.
func wholeFirst(_ *lowerer, n *graph.Node) error {
	if n.Dim(0) != n.Inputs()[0].Dim(0) {
		return errors.New("it cuts or pads the batch")
	}
	return nil
}

// gatherBatch: the indices have the batch, the table has not.
func gatherBatch(l *lowerer, n *graph.Node) error {
	if l.batched[n.Inputs()[0]] {
		return fmt.Errorf("it picks rows of the batch %v", n.Inputs()[0])
	}
	return nil
}
