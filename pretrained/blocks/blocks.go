// Package blocks finds where a network can be cut in two: the tensors through which everything from its input to its
// output passes, one before the first of its repeating units and one behind each of them. They are told from the model's
// structure alone, whoever exported it.
package blocks

import (
	"fmt"
	"slices"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
)

// Cut is a tensor at which a network falls into a part before and a part behind it.
type Cut struct {
	Tensor string
	Shape  []int // for the input's shape that was given, the batch first
	Block  int   // the blocks before the cut: 0 is the entry to the first
	// Parameters and MACs (multiplications with addition of one batch) of what lies behind the cut.
	Parameters, MACs int64
	// Residuals are the branches of the residual sums in the block that ends at the cut: what stochastic depth drops.
	Residuals []string
}

// Find lists the cuts of a model, the first of them before block 1. input is the shape of the model's only input, the batch
// included. A block is a residual unit, of a transformer attention and perceptron together, or a unit of depthwise
// convolutions that ends without an activation. Models that do not raise, and those without blocks, are errors.
func Find(m *onnx.Model, input []int) ([]Cut, error) {
	if len(m.Inputs) != 1 {
		return nil, fmt.Errorf("blocks: the model has %d inputs, want one", len(m.Inputs))
	}
	g := graph.New()
	part, err := raise.Nodes(g, m, raise.Options{Inputs: map[string][]int{m.Inputs[0].Name: input}})
	if err != nil {
		return nil, fmt.Errorf("blocks: %w", err)
	}
	f := &finder{model: m, part: part, index: onnx.NewIndex(m), depends: depending(g)}
	f.walk(f.deepest(g))
	ends := f.ends()
	if len(ends) < 2 {
		return nil, fmt.Errorf("blocks: no repeating units are found in the %d tensors that everything passes through; name a tensor to cut at", len(f.cuts))
	}
	var cuts []Cut
	for i, e := range ends {
		c := Cut{Tensor: f.cuts[e].name, Block: i}
		c.Shape = part.Values[c.Tensor].Shape()
		c.Parameters, c.MACs = f.behind(part.Values[c.Tensor])
		if i > 0 {
			for _, k := range f.cuts[ends[i-1]+1 : e+1] {
				c.Residuals = append(c.Residuals, k.branches...)
			}
		}
		cuts = append(cuts, c)
	}
	return cuts, nil
}

// Last is the cut before the last n blocks.
func Last(cuts []Cut, n int) (Cut, error) {
	if n < 1 || n >= len(cuts) {
		return Cut{}, fmt.Errorf("the last %d blocks: want 1 to %d, as many as the network has", n, len(cuts)-1)
	}
	return cuts[len(cuts)-1-n], nil
}

// At is the cut at a tensor.
func At(cuts []Cut, tensor string) (Cut, bool) {
	i := slices.IndexFunc(cuts, func(c Cut) bool { return c.Tensor == tensor })
	if i < 0 {
		return Cut{}, false
	}
	return cuts[i], true
}

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
	nodes   []*onnx.Node // that lead to the output, operands first
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
		if n.Op() == graph.OpParameter {
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

func (f *finder) point(n *onnx.Node, between []*onnx.Node) point {
	p := point{name: n.Outputs[0], node: n, between: between}
	for _, b := range between {
		p.attention = p.attention || b.Op == "Softmax" || b.Op == "Attention"
		p.grouped = p.grouped || b.Op == "Conv" && b.Int("group", 1) > 1
	}
	if branch := f.branch(n, between); branch != "" {
		p.branches = []string{branch}
	}
	return p
}

// branch is the operand of a residual sum that more of the unit lies before; "" if n is none.
func (f *finder) branch(n *onnx.Node, between []*onnx.Node) string {
	if n.Op != "Add" || !f.data(n.Inputs[0]) || !f.data(n.Inputs[1]) || n.Inputs[0] == n.Inputs[1] {
		return ""
	}
	inside := map[string]*onnx.Node{}
	for _, b := range between {
		for _, o := range b.Outputs {
			inside[o] = b
		}
	}
	var count func(name string, seen map[*onnx.Node]bool) int
	count = func(name string, seen map[*onnx.Node]bool) int {
		b := inside[name]
		if b == nil || seen[b] {
			return 0
		}
		seen[b] = true
		sum := 1
		for read := range b.Reads() {
			sum += count(read, seen)
		}
		return sum
	}
	if count(n.Inputs[0], map[*onnx.Node]bool{}) >= count(n.Inputs[1], map[*onnx.Node]bool{}) {
		return n.Inputs[0]
	}
	return n.Inputs[1]
}

// ends are the points before the first block and behind each.
func (f *finder) ends() []int {
	var units []int // points at which a residual or depthwise unit ends
	grouped := false
	for i, p := range f.cuts {
		grouped = grouped || p.grouped
		if len(p.branches) > 0 || grouped && f.linear(p) {
			units, grouped = append(units, i), false
		}
	}
	if len(units) == 0 {
		return nil
	}
	ends := []int{f.entry(units[0])}
	for i, u := range units {
		last := i == len(units)-1
		// A unit without attention behind one with it is the same block's perceptron.
		if !last && f.attends(units[0]) && !f.attends(units[i+1]) {
			continue
		}
		ends = append(ends, f.afterActivation(u))
	}
	return ends
}

func (f *finder) attends(i int) bool { return f.cuts[i].attention }

// linear tells whether a convolution's result goes on without an activation, as at the end of an inverted residual unit.
func (f *finder) linear(p point) bool {
	if p.node == nil || (p.node.Op != "Conv" && p.node.Op != "BatchNormalization") {
		return false
	}
	for _, r := range f.index.Readers[p.name] {
		if r == nil || (r.Op != "Conv" && r.Op != "Add") {
			return false
		}
	}
	return true
}

// entry is the point before a first unit: before the convolution that widens a depthwise one, or before all that the
// residual sum joins.
func (f *finder) entry(unit int) int {
	if len(f.cuts[unit].branches) > 0 {
		return unit - 1
	}
	at := unit
	for at > 1 && !f.cuts[at].grouped {
		at--
	}
	convolutions := 0
	for _, p := range f.cuts[:at] {
		if p.node != nil && p.node.Op == "Conv" {
			convolutions++
		}
	}
	for back := at - 1; convolutions > 1 && back > 0; back-- {
		if f.cuts[back].node.Op == "Conv" {
			return back - 1
		}
	}
	return at - 1
}

// afterActivation is the point behind the activation that alone reads another one.
func (f *finder) afterActivation(i int) int {
	readers := f.index.Readers[f.cuts[i].name]
	if i+1 < len(f.cuts) && len(readers) == 1 && readers[0] != nil && readers[0].Op == "Relu" && f.cuts[i+1].node == readers[0] {
		return i + 1
	}
	return i
}
