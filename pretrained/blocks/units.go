package blocks

import (
	"slices"

	"graft/onnx"
)

func (f *finder) point(n *onnx.Node, between []*onnx.Node) point {
	p := point{name: n.Outputs[0], node: n, between: between, branches: f.branches(n, between)}
	for _, b := range between {
		p.attention = p.attention || b.Op == "Softmax" || b.Op == "Attention"
		p.grouped = p.grouped || b.Op == "Conv" && b.Int("group", 1) > 1
	}
	return p
}

// branches are the operands of a residual sum that more of the unit lies before; none if n is no such sum. One of three is
// two sums.
func (f *finder) branches(n *onnx.Node, between []*onnx.Node) []string {
	if n == nil || n.Op != "Add" || !f.data(n.Inputs[0]) || !f.data(n.Inputs[1]) || n.Inputs[0] == n.Inputs[1] {
		return nil
	}
	inside := map[string]*onnx.Node{}
	for _, b := range between {
		for _, o := range b.Outputs {
			inside[o] = b
		}
	}
	skip, branch := n.Inputs[0], n.Inputs[1]
	if before(skip, inside, map[*onnx.Node]bool{}) >= before(branch, inside, map[*onnx.Node]bool{}) {
		skip, branch = branch, skip
	}
	return append(f.branches(inside[skip], between), branch)
}

// before counts the nodes inside that a tensor is computed by.
func before(name string, inside map[string]*onnx.Node, seen map[*onnx.Node]bool) int {
	b := inside[name]
	if b == nil || seen[b] {
		return 0
	}
	seen[b] = true
	sum := 1
	for read := range b.Reads() {
		sum += before(read, inside, seen)
	}
	return sum
}

// ends are the points before the first block and behind each.
func (f *finder) ends() []int {
	var units []int // points at which a residual or depthwise unit ends
	grouped, lastAttending := false, -1
	for i, p := range f.cuts {
		grouped = grouped || p.grouped
		if len(p.branches) > 0 || grouped && f.linear(p) {
			units, grouped = append(units, i), false
			if p.attention {
				lastAttending = i
			}
		}
	}
	if len(units) == 0 {
		return f.layers()
	}
	ends, paired := []int{f.entry(units[0])}, false
	for i, u := range units {
		paired = i > 0 && !paired && f.second(units, i)
		switch {
		case paired:
			ends[len(ends)-1] = u
		case lastAttending >= 0 && u > lastAttending:
			return ends // sums of a transformer's head
		default:
			ends = append(ends, f.afterActivation(u))
		}
	}
	return ends
}

// layers are, of a network without units, the points before each of its layers that have weights, and its output.
func (f *finder) layers() (ends []int) {
	for i, p := range f.cuts[1:] {
		if f.weighted(p) {
			ends = append(ends, i)
		}
	}
	if ends == nil {
		return nil
	}
	return append(ends, len(f.cuts)-1)
}

// second tells whether a unit completes the block of the one before, with no weights between them: as the perceptron behind
// attention, or, where neither attends, as the second of two kinds that take turns.
func (f *finder) second(units []int, i int) bool {
	a, b := f.cuts[units[i-1]], f.cuts[units[i]]
	if slices.ContainsFunc(f.cuts[units[i-1]+1:units[i]], f.weighted) {
		return false
	}
	if a.attention || b.attention {
		return a.attention && !b.attention
	}
	turn := func(j int, p point) bool { return j >= 0 && j < len(units) && alike(f.cuts[units[j]], p) }
	return f.plain(units[i-1]) && f.plain(units[i]) && !alike(a, b) && (turn(i+1, a) || turn(i-2, b))
}

// plain tells whether a residual sum adds to what its unit began with, unchanged.
func (f *finder) plain(unit int) bool {
	return len(f.cuts[unit].branches) > 0 && slices.Contains(f.cuts[unit].node.Inputs, f.cuts[unit-1].name)
}

// alike tells whether two units are made of the same operators.
func alike(a, b point) bool {
	return slices.EqualFunc(a.between, b.between, func(m, n *onnx.Node) bool { return m.Op == n.Op })
}

// weighted tells whether a tensor that no input decides has a part between a point and the one before.
func (f *finder) weighted(p point) bool {
	for _, n := range p.between {
		for name := range n.Reads() {
			if f.part.Values[name] != nil && !f.data(name) {
				return true
			}
		}
	}
	return false
}

// linear tells whether a convolution's result goes on without an activation, as at the end of an inverted residual unit.
func (f *finder) linear(p point) bool {
	if p.node == nil || (p.node.Op != "Conv" && p.node.Op != "BatchNormalization") {
		return false
	}
	return len(f.readers[p.name]) > 0 && !slices.ContainsFunc(f.readers[p.name], func(r *onnx.Node) bool { return r.Op != "Conv" && r.Op != "Add" && r.Op != "Pad" })
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

// afterActivation is the point behind the activation of what a point gives, or the point itself.
func (f *finder) afterActivation(i int) int {
	if i+1 < len(f.cuts) && !slices.ContainsFunc(f.cuts[i+1].between, func(n *onnx.Node) bool { return !f.activation(n) }) {
		return i + 1
	}
	return i
}

// activation tells the operators that activations are written with: of the values alone, and of no weight.
func (f *finder) activation(n *onnx.Node) bool {
	switch n.Op {
	case "Relu", "Clip", "LeakyRelu", "Elu", "Gelu", "HardSwish", "HardSigmoid", "Sigmoid", "Swish", "Mish":
		return true
	case "Mul":
		return f.data(n.Inputs[0]) && f.data(n.Inputs[1])
	}
	return false
}
