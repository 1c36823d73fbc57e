package graph

import (
	"fmt"
	"slices"
)

// Operations on rows chosen by index.
const (
	OpGather      Op = "Gather"
	OpScatterRows Op = "ScatterRows"
)

// scatterAttrs is the number of rows of the result.
type scatterAttrs struct{ Rows int }

// Gather takes rows of a table [R,…] by the whole numbers of indices: the result has the shape of indices followed by
// that of a row. An index outside 0…R-1 is an error at run time.
func (g *Graph) Gather(table, indices *Node) *Node { return g.apply(OpGather, nil, table, indices) }

// ScatterRows adds rows into a table of zeros [rows,…] at the places of indices: the reverse of Gather.
func (g *Graph) ScatterRows(x, indices *Node, rows int) *Node {
	return g.apply(OpScatterRows, scatterAttrs{rows}, x, indices)
}

func gatherShape(in []*Node, _ any) (Shape, Type, error) {
	if len(in[0].shape) == 0 {
		return nil, 0, fmt.Errorf("wanted a table of rows, got a scalar")
	}
	return append(slices.Clone(in[1].shape), in[0].shape[1:]...), Float, wantTypes(in, Float, Int)
}

func scatterShape(in []*Node, attrs any) (Shape, Type, error) {
	x, idx := in[0].shape, in[1].shape
	if len(x) < len(idx) || !x[:len(idx)].Equal(idx) {
		return nil, 0, fmt.Errorf("wanted rows for indices %v, got shape %v", idx, x)
	}
	return append(Shape{attrs.(scatterAttrs).Rows}, x[len(idx):]...), Float, wantTypes(in, Float, Int)
}

// rowAt reads an index of one of so many rows.
func rowAt(n *Node, v float64, rows int) (int, error) {
	if !(v >= 0 && v < float64(rows)) {
		return 0, fmt.Errorf("%v: index %v is outside 0 to %d", n, v, rows-1)
	}
	return int(v), nil
}

func gatherNaive(n *Node, in [][]float64) ([]float64, error) {
	table := n.in[0].shape
	width := table[1:].Size()
	var out []float64
	for _, v := range in[1] {
		i, err := rowAt(n, v, table[0])
		if err != nil {
			return nil, err
		}
		out = append(out, in[0][i*width:(i+1)*width]...)
	}
	return out, nil
}

func scatterNaive(n *Node, in [][]float64) ([]float64, error) {
	width, out := n.shape[1:].Size(), make([]float64, n.shape.Size())
	for k, v := range in[1] {
		i, err := rowAt(n, v, n.shape[0])
		if err != nil {
			return nil, err
		}
		for j := range width {
			out[i*width+j] += in[0][k*width+j]
		}
	}
	return out, nil
}

// gatherBatch: the indices have the batch, the table has not.
func gatherBatch(w *Writer, n *Node) error {
	if w.Batched[n.in[0]] {
		return fmt.Errorf("it picks rows of the batch %v", n.in[0])
	}
	return nil
}

func init() {
	register(OpGather, row{min: 2, max: 2, shape: gatherShape, naive: gatherNaive, batch: gatherBatch, fixtures: []string{"gather"},
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.ScatterRows(dy, n.in[1], n.in[0].shape[0]), nil}
		}})
	register(OpScatterRows, row{min: 2, max: 2, shape: scatterShape, naive: scatterNaive, fixtures: []string{"scatter_rows"},
		grad: func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Gather(dy, n.in[1]), nil} }})
}
