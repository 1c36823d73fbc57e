package blocks

import (
	"slices"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
)

// depending marks the nodes that an input decides.
func depending(g *graph.Graph) map[*graph.Node]bool {
	out := map[*graph.Node]bool{}
	for _, n := range g.Nodes() {
		out[n] = n.Op() == graph.OpInput || slices.ContainsFunc(n.Inputs(), func(x *graph.Node) bool { return out[x] })
	}
	return out
}

type finder struct {
	model   *onnx.Model
	part    *raise.Part
	index   onnx.Index
	depends map[*graph.Node]bool
	output  string
	nodes   []*onnx.Node            // that lead to the output, operands first
	readers map[string][]*onnx.Node // those of nodes that read a tensor
	cuts    []point
}

// point is a tensor through which everything passes, with what lies between it and the one before.
type point struct {
	name      string
	node      *onnx.Node   // that makes it; nil for the model's input
	between   []*onnx.Node // the last of them is node
	attention bool
	grouped   bool     // a depthwise convolution lies between
	branches  []string // of a residual sum
}

// data tells whether a tensor is computed from the input.
func (f *finder) data(name string) bool {
	x := f.part.Values[name]
	return x != nil && f.depends[x]
}

// deepest is the output that most of the network lies before: the taps of graft's own exports leave it on the way.
func (f *finder) deepest(g *graph.Graph) string {
	best, most := f.model.Outputs[0].Name, -1
	for i, x := range f.part.Outputs {
		seen := map[*graph.Node]bool{}
		if n := len(reach(x, nil, seen)); n > most {
			best, most = f.model.Outputs[i].Name, n
		}
	}
	return best
}

// reach lists what a node is computed from, itself included, up to a node that is not passed.
func reach(n, stop *graph.Node, seen map[*graph.Node]bool) []*graph.Node {
	if seen[n] || n == stop {
		return nil
	}
	seen[n] = true
	out := []*graph.Node{n}
	for _, x := range n.Inputs() {
		out = append(out, reach(x, stop, seen)...)
	}
	return out
}

// behind counts what the output needs besides a node.
func (f *finder) behind(cut *graph.Node) (parameters, macs int64) {
	for _, n := range reach(f.part.Values[f.output], cut, map[*graph.Node]bool{}) {
		if n.Trainable() {
			parameters += int64(n.Shape().Size())
		}
		macs += int64(graph.MACs(n))
	}
	return parameters, macs
}

// walk finds the points on the way to an output: in any order in which operands come first, nothing else is still needed
// when one of them was computed.
func (f *finder) walk(output string) {
	f.output = output
	needed := map[string]int{output: 1} // by how many nodes, and as the output
	for _, n := range slices.Backward(f.model.Nodes) {
		if slices.ContainsFunc(n.Outputs, func(o string) bool { return needed[o] > 0 && f.data(o) }) {
			f.nodes = append(f.nodes, f.index.Producers[n.Outputs[0]])
			for name := range n.Reads() {
				needed[name]++
			}
		}
	}
	slices.Reverse(f.nodes)
	f.readers = map[string][]*onnx.Node{}
	for _, n := range f.nodes {
		for name := range n.Reads() {
			f.readers[name] = append(f.readers[name], n)
		}
	}
	live := map[string]bool{f.model.Inputs[0].Name: true}
	f.cuts = []point{{name: f.model.Inputs[0].Name}}
	var between []*onnx.Node
	for _, n := range f.nodes {
		between = append(between, n)
		for name := range n.Reads() {
			if needed[name]--; needed[name] == 0 {
				delete(live, name)
			}
		}
		for _, o := range n.Outputs {
			if needed[o] > 0 {
				live[o] = true
			}
		}
		if len(live) == 1 && live[n.Outputs[0]] {
			f.cuts = append(f.cuts, f.point(n, between))
			between = nil
		}
	}
}
