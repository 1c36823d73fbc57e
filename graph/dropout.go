package graph

import (
	"fmt"
	"math"

	"graft/internal/splitmix"
)

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

// Mask tells which elements a step keeps. Its random numbers are a function of a counter, so that no state is shared
// between threads: SplitMix64 over seed, step and element.
type Mask struct{ key, limit uint64 }

// Mask is that of a step.
func (a DropoutAttrs) Mask(step float64) Mask {
	return Mask{splitmix.Mix(splitmix.Next(a.Seed) + uint64(int64(step))*splitmix.Gamma), uint64(math.Round(a.P * (1 << 32)))}
}

// Keeps decides about element i. One mixing gives the bits of two neighbours.
func (m Mask) Keeps(i int) bool {
	bits := splitmix.Mix(m.key + uint64(i>>1)*splitmix.Gamma)
	return bits>>(uint(i&1)*32)&0xffffffff >= m.limit
}

func dropoutShape(in []*Node, attrs any) (Shape, Type, error) {
	if p := attrs.(DropoutAttrs).P; !(p >= 0 && p < 1) {
		return nil, 0, fmt.Errorf("wanted a probability of at least 0 and below 1, got %v", p)
	}
	if in[1].shape.Size() != 1 {
		return nil, 0, fmt.Errorf("step: wanted a scalar, got shape %v", in[1].shape)
	}
	return in[0].shape, Float, wantTypes(in, Float)
}

func dropoutNaive(n *Node, in [][]float64) ([]float64, error) {
	a := n.attrs.(DropoutAttrs)
	mask, out := a.Mask(in[1][0]), make([]float64, len(in[0]))
	for i, x := range in[0] {
		if mask.Keeps(i) {
			out[i] = x / (1 - a.P)
		}
	}
	return out, nil
}

func init() {
	register(OpDropout, row{min: 2, max: 2, shape: dropoutShape, naive: dropoutNaive,
		// Linear in x, with the same mask.
		grad: func(g *Graph, n, dy *Node) []*Node {
			return []*Node{g.apply(OpDropout, n.attrs, dy, n.in[1]), nil}
		}})
}
