package engine

import (
	"fmt"

	"graft/graph"
)

// simplified is a graph reduced to what the outputs and updates need.
type simplified struct {
	nodes []*graph.Node // needed operations, operands first, one of each kind
	roots map[*graph.Node]*graph.Node
	// gradients are the roots of what graph.Gradient returned.
	gradients map[*graph.Node]bool
	outputs   []*graph.Node
	updates   []graph.Update
}

// simplify drops what is not needed and merges nodes of equal operation, operands and attributes. Reshapes vanish:
// their root is their operand's.
func simplify(g *graph.Graph, outputs []*graph.Node, updates []graph.Update) *simplified {
	s := &simplified{roots: map[*graph.Node]*graph.Node{}, gradients: map[*graph.Node]bool{}, outputs: outputs, updates: updates}
	all := g.Nodes()
	needed := make([]bool, len(all))
	for _, n := range outputs {
		needed[n.ID()] = true
	}
	for _, u := range updates {
		needed[u.Value.ID()] = true
	}
	for id := len(all) - 1; id >= 0; id-- {
		if needed[id] {
			for _, x := range all[id].Inputs() {
				needed[x.ID()] = true
			}
		}
	}
	seen := map[string]*graph.Node{}
	for id, n := range all {
		if needed[id] {
			s.admit(n, seen)
			if n.IsGradient() {
				s.gradients[s.root(n)] = true
			}
		}
	}
	return s
}

func (s *simplified) admit(n *graph.Node, seen map[string]*graph.Node) {
	s.roots[n] = n
	switch {
	case n.Op() == graph.OpReshape:
		s.roots[n] = s.root(n.Inputs()[0])
		return
	case len(n.Inputs()) == 0:
		return
	}
	id := fmt.Sprintf("%s %v %v", n.Op(), n.Attrs(), n.Shape())
	for _, x := range n.Inputs() {
		id += fmt.Sprintf(" %d%v", s.root(x).ID(), x.Shape())
	}
	if twin := seen[id]; twin != nil {
		s.roots[n] = twin
		return
	}
	seen[id] = n
	s.nodes = append(s.nodes, n)
}

// root is the node whose elements a node's value is.
func (s *simplified) root(n *graph.Node) *graph.Node { return s.roots[n] }

func isLeaf(n *graph.Node) bool { return len(n.Inputs()) == 0 }
