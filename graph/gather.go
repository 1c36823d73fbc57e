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

// ScatterAttrs is the number of rows of the result.
type ScatterAttrs struct{ Rows int }

// Gather takes rows of a table [R,…] by the whole numbers of indices: the result has the shape of indices followed by
// that of a row. An index outside 0…R-1 is an error at run time.
func (g *Graph) Gather(table, indices *Node) *Node { return g.apply(OpGather, nil, table, indices) }

// ScatterRows adds rows into a table of zeros [rows,…] at the places of indices: the reverse of Gather.
func (g *Graph) ScatterRows(x, indices *Node, rows int) *Node {
	return g.apply(OpScatterRows, ScatterAttrs{rows}, x, indices)
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
	return append(Shape{attrs.(ScatterAttrs).Rows}, x[len(idx):]...), Float, wantTypes(in, Float, Int)
}

func init() {
	register(OpGather, spec{onnx: "Gather", min: 2, max: 2, shape: gatherShape,
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.ScatterRows(dy, n.in[1], n.in[0].shape[0]), nil}
		}})
	register(OpScatterRows, spec{onnx: "ScatterND", min: 2, max: 2, shape: scatterShape,
		grad: func(g *Graph, n, dy *Node) []*Node { return []*Node{g.Gather(dy, n.in[1]), nil} }})
}
