package tune

import (
	"slices"

	"graft/onnx"
)

// unary and binary list the elementwise operators. Max takes any number of
// inputs.
var (
	unary = map[string]bool{
		"Cast": true, "Erf": true, "Gelu": true, "Identity": true, "Neg": true, "Reciprocal": true, "Relu": true, "Sigmoid": true, "Tanh": true,
	}
	binary = map[string]bool{"Add": true, "Sub": true, "Mul": true, "Div": true, "Max": true}
)

// whole says that a row of the output needs all of an input.
const whole = -1

// rowRule tells what one row of n's output along axis needs: per input, the axis
// along which the same row suffices, or whole. There is no rule (false) for what
// mixes rows.
func (g *graph) rowRule(n onnx.Node, axis int) ([]int, bool) {
	if n.Domain != "" || len(n.Outputs) != 1 || len(n.Inputs) == 0 || n.Inputs[0] == "" {
		return nil, false
	}
	rank, ok := g.ranks[n.Outputs[0]]
	if !ok {
		return nil, false
	}
	need := slices.Repeat([]int{whole}, len(n.Inputs))
	need[0] = axis
	switch {
	case unary[n.Op]:
		return need, true
	case binary[n.Op]:
		for i, name := range n.Inputs {
			need[i] = g.operandAxis(name, axis-rank)
		}
		return need, true
	}
	switch n.Op {
	case "Transpose":
		perm := n.Ints("perm")
		if len(perm) != rank {
			return nil, false
		}
		need[0] = int(perm[axis])
		return need, true
	case "Reshape":
		return need, g.keepsAxis(n, axis)
	case "MatMul":
		// Both sides of equal rank, or a matrix on the right: batch axes agree.
		return need, axis == rank-2 && g.ranks[n.Inputs[0]] == rank
	case "LayerNormalization", "Softmax":
		along := n.Int("axis", -1)
		return need, axis < rank-1 && (along == -1 || along == int64(rank-1))
	case "ReduceMin", "ReduceMax":
		return need, axis < rank-1 && slices.Equal(g.axes(n), []int64{-1})
	case "QuantizeLinear", "DequantizeLinear":
		scale, constant := g.Weights[n.Inputs[1]]
		return need, constant && len(scale.Dims) == 0
	}
	return nil, false
}

// operandAxis is the axis of an elementwise operator's input, counted from the
// end as fromEnd is, or whole where the input repeats itself along it.
func (g *graph) operandAxis(name string, fromEnd int) int {
	axis := g.ranks[name] + fromEnd
	if t, ok := g.Weights[name]; axis < 0 || ok && t.Dims[axis] == 1 {
		return whole
	}
	return axis
}

// keepsAxis tells whether a Reshape copies all dimensions up to axis.
func (g *graph) keepsAxis(n onnx.Node, axis int) bool {
	shape := g.constants(n.Inputs[1])
	return n.Int("allowzero", 0) == 0 && len(shape) > axis && !slices.ContainsFunc(shape[:axis+1], func(d int64) bool { return d != 0 })
}

// axes are those of a reduction, an attribute before operator set 18 and an input
// since.
func (g *graph) axes(n onnx.Node) []int64 {
	if len(n.Inputs) > 1 {
		return g.constants(n.Inputs[1])
	}
	return n.Ints("axes")
}
