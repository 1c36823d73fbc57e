package graph

import "math"

// OpRound is what quantisation does to numbers.
const OpRound Op = "Round"

// Round is the nearest whole number, of two equally near ones the even one. Its gradient is 0.
func (g *Graph) Round(x *Node) *Node { return g.apply(OpRound, nil, x) }

func init() {
	register(OpRound, unaryRow(OpRound, math.RoundToEven, func(g *Graph, _, _, dy *Node) *Node { return g.Scale(dy, 0) }))
}
