package onnx

import (
	"maps"

	"graft/onnx/onnxpb"
)

// Reads are the names of the values that a node reads: its inputs, and what the
// graphs in its attributes take from outside.
func (n Node) Reads() map[string]bool {
	out := map[string]bool{}
	for _, name := range n.Inputs {
		if name != "" {
			out[name] = true
		}
	}
	for _, g := range n.Graphs() {
		maps.Copy(out, freeNames(g))
	}
	return out
}

// Graphs are those in a node's attributes.
func (n Node) Graphs() (out []*onnxpb.GraphProto) {
	for _, a := range n.Attrs {
		if p, ok := a.Value.(*onnxpb.AttributeProto); ok {
			out = append(out, attrGraphs(p)...)
		}
	}
	return out
}

func attrGraphs(p *onnxpb.AttributeProto) []*onnxpb.GraphProto {
	if p.G == nil {
		return p.Graphs
	}
	return append([]*onnxpb.GraphProto{p.G}, p.Graphs...)
}

// freeNames are the names that a graph uses and does not define.
func freeNames(g *onnxpb.GraphProto) map[string]bool {
	defined, free := map[string]bool{}, map[string]bool{}
	for _, v := range g.Input {
		defined[v.GetName()] = true
	}
	for _, t := range g.Initializer {
		defined[t.GetName()] = true
	}
	for _, t := range g.SparseInitializer {
		defined[t.GetValues().GetName()] = true
	}
	use := func(name string) {
		if name != "" && !defined[name] {
			free[name] = true
		}
	}
	for _, n := range g.Node {
		for _, name := range n.Input {
			use(name)
		}
		for _, a := range n.Attribute {
			for _, inner := range attrGraphs(a) {
				for name := range freeNames(inner) {
					use(name)
				}
			}
		}
		for _, name := range n.Output {
			defined[name] = true
		}
	}
	for _, v := range g.Output {
		use(v.GetName())
	}
	return free
}

// namesInside are all names in the graphs of a node's attributes: a name of the
// outer graph must not equal one of them.
func namesInside(n Node) map[string]bool {
	out := map[string]bool{}
	var walk func(g *onnxpb.GraphProto)
	walk = func(g *onnxpb.GraphProto) {
		for _, v := range g.Input {
			out[v.GetName()] = true
		}
		for _, t := range g.Initializer {
			out[t.GetName()] = true
		}
		for _, inner := range g.Node {
			for _, name := range inner.Output {
				out[name] = true
			}
			for _, a := range inner.Attribute {
				for _, deeper := range attrGraphs(a) {
					walk(deeper)
				}
			}
		}
	}
	for _, g := range n.Graphs() {
		walk(g)
	}
	return out
}
