package graph

// MACs is the number of multiplications with addition that a node costs, as models are compared by: those of matrix
// products and convolutions (bias not counted); 0 for all other operations.
func MACs(n *Node) int64 {
	size := int64(n.shape.Size())
	switch n.op {
	case OpMatMul:
		a, inner := n.in[0], n.in[0].Dim(-1)
		if n.attrs.(MatMulAttrs).TransA {
			inner = a.Dim(-2)
		}
		return size * int64(inner)
	case OpConv:
		return size * int64(n.in[1].shape[1:].Size())
	case OpConvInputGrad:
		return int64(n.in[0].shape.Size()) * int64(n.in[1].shape[1:].Size())
	case OpConvWeightGrad:
		x := n.in[1].shape
		return size * int64(x[0]*x[2]*x[3])
	}
	return 0
}
