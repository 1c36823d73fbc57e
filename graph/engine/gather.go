package engine

import (
	"fmt"

	"graft/graph"
	"graft/graph/engine/vec"
)

// rowIndex reads an index of one of so many rows. One outside is a fault of the step, and stands for row 0.
func (c *compiler) rowIndex(n *graph.Node, v float32, rows int) int {
	if !(v >= 0 && v < float32(rows)) {
		c.program.fault.set(fmt.Errorf("engine: graph: %v: index %v is outside 0 to %d", n, v, rows-1))
		return 0
	}
	return int(v)
}

func emitGather(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	rows := n.Inputs()[0].Dim(0)
	width := len(in[0]) / rows
	return []step{c.loop(n, len(in[1]), 1, 4+width/4, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			copy(out[k*width:(k+1)*width], in[0][c.rowIndex(n, in[1][k], rows)*width:])
		}
	})}
}

// emitScatterRows cuts the rows' columns among the cores, as several rows may go to one place.
func emitScatterRows(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	rows := n.Dim(0)
	width := len(out) / rows
	return []step{c.clearing(n, out), c.loop(n, width, 16, 1+len(in[1])/2, func(lo, hi int) {
		for k, v := range in[1] {
			dst := out[c.rowIndex(n, v, rows)*width:][lo:hi]
			vec.Add(dst, dst, in[0][k*width+lo:][:hi-lo])
		}
	})}
}
