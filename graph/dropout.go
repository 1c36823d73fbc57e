package graph

import "fmt"

// OpDropout zeroes random elements.
const OpDropout Op = "Dropout"

// DropoutAttrs holds the probability of zeroing, 0 ≤ P < 1, and the seed of this place in the graph.
type DropoutAttrs struct {
	P    float64
	Seed uint64
}

// Dropout zeroes each element of x with probability p and divides the others by 1-p. Which ones is a function of seed,
// the whole number in the scalar step, and the element's index alone: the same step gives the same bits, whatever
// the number of threads. Callers raise step from one training step to the next.
func (g *Graph) Dropout(x, step *Node, p float64, seed uint64) *Node {
	return g.apply(OpDropout, DropoutAttrs{p, seed}, x, step)
}

func init() {
	register(OpDropout, spec{onnx: "Dropout", min: 2, max: 2,
		shape: func(in []*Node, attrs any) (Shape, Type, error) {
			if p := attrs.(DropoutAttrs).P; !(p >= 0 && p < 1) {
				return nil, 0, fmt.Errorf("wanted a probability of at least 0 and below 1, got %v", p)
			}
			if in[1].shape.Size() != 1 {
				return nil, 0, fmt.Errorf("step: wanted a scalar, got shape %v", in[1].shape)
			}
			return in[0].shape, Float, wantTypes(in, Float)
		},
		// Linear in x, with the same mask.
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.apply(OpDropout, n.attrs, dy, n.in[1]), nil}
		}})
}
