package show

import (
	"regexp"
	"slices"
	"strings"

	"graft/graph"
)

// anatomy is what a network is made of, told from its graph alone: whoever wrote it, a run's network and an ONNX file are
// looked at in the same way.
type anatomy struct {
	nodes   []*graph.Node // between the image and the end, operands first
	readers map[*graph.Node][]*graph.Node
	cuts    []*graph.Node // those through which everything passes
	seen    *graph.Node   // the image as the first layer reads it, [N,C,H,W]
	batch   int           // N: 1, or 2 where the graph itself mirrors

	convolutions []stage       // with the pools between them
	attention    []*graph.Node // softmax of each block's self-attention, [N,heads,T,T] or [heads,T,T]
	pooling      []*graph.Node // softmax of queries that read tokens for the classifier, […,1,T]
	windows      int           // self-attentions that are of parts of the image, or of other tokens
	// lastAttention is the ID of the last self-attention, drawn or not; -1: there is none.
	lastAttention int
	tokens        int           // T
	prefix        int           // tokens before those of patches: the class token, registers
	grid          [2]int        // rows and columns of patches
	entries       []*graph.Node // the tokens that each block of attention begins with, [N,T,D]
	exits         []*graph.Node // and ends with
}

// stage is a layer of feature maps [N,C,H,W].
type stage struct {
	name string
	what string // convolution, max pooling, average pooling
	conv *graph.Node
	node *graph.Node // the map: of a convolution after its normalisation and activation
}

// dissect tells a network's parts.
func dissect(n *network) *anatomy {
	a := &anatomy{lastAttention: -1}
	a.walk(n.g, n.input, n.end)
	a.seen = a.cuts[0]
	for _, c := range a.cuts {
		if len(c.Shape()) == 2 { // rows of pixels, halfway through a resize in two products
			continue
		}
		if len(c.Shape()) != 4 || c.Dim(1) > 3 || c.Op() == graph.OpConv || isPool(c) {
			break
		}
		a.seen = c
	}
	a.batch = a.seen.Dim(0)
	a.findStages()
	a.findAttention(n.g, n.patches)
	return a
}

// walk lists the nodes between input and end, and finds the cuts: in any order in which operands come first, nothing else
// is still needed when one of them was computed.
func (a *anatomy) walk(g *graph.Graph, input, end *graph.Node) {
	needed, depends := reach(end), map[*graph.Node]bool{input: true}
	a.nodes, a.readers = []*graph.Node{input}, map[*graph.Node][]*graph.Node{}
	for _, n := range g.Nodes() {
		if n == input || !needed[n] {
			continue
		}
		for _, x := range n.Inputs() {
			if depends[x] && !slices.Contains(a.readers[x], n) {
				a.readers[x] = append(a.readers[x], n)
				depends[n] = true
			}
		}
		if depends[n] {
			a.nodes = append(a.nodes, n)
		}
	}
	open, left := map[*graph.Node]bool{}, map[*graph.Node]int{}
	for _, n := range a.nodes {
		for i, x := range n.Inputs() {
			if depends[x] && !slices.Contains(n.Inputs()[:i], x) {
				if left[x]--; left[x] == 0 {
					delete(open, x)
				}
			}
		}
		if left[n] = len(a.readers[n]); left[n] > 0 || n == end {
			open[n] = true
		}
		if len(open) == 1 && open[n] {
			a.cuts = append(a.cuts, n)
		}
	}
}

// data tells nodes that the image decides.
func (a *anatomy) data(n *graph.Node) bool { return n == a.nodes[0] || slices.Contains(a.nodes, n) }

func isPool(n *graph.Node) bool { return n.Op() == graph.OpMaxPool || n.Op() == graph.OpAveragePool }

// findStages lists the layers of feature maps that are larger than one place.
func (a *anatomy) findStages() {
	for _, n := range a.nodes {
		if len(n.Shape()) != 4 || n.Dim(2)*n.Dim(3) == 1 {
			continue
		}
		switch n.Op() {
		case graph.OpConv:
			end := a.activated(n)
			a.convolutions = append(a.convolutions, stage{name(end), "convolution", n, end})
		case graph.OpMaxPool:
			a.convolutions = append(a.convolutions, stage{name(n), "max pooling", nil, n})
		case graph.OpAveragePool:
			a.convolutions = append(a.convolutions, stage{name(n), "average pooling", nil, n})
		}
	}
}

// activated is the end of what follows a convolution place by place: its normalisation and activation.
func (a *anatomy) activated(n *graph.Node) *graph.Node {
	for {
		next := a.readers[n]
		if len(next) != 1 || !next[0].Shape().Equal(n.Shape()) {
			return n
		}
		pointwise := graph.Point(next[0].Op()) != nil || next[0].Op() == graph.OpBatchNormalization
		others := slices.ContainsFunc(next[0].Inputs(), func(x *graph.Node) bool { return x != n && a.data(x) })
		if !pointwise || others {
			return n
		}
		n = next[0]
	}
}

// number is the end of a node's own name.
var number = regexp.MustCompile(`_output_\d+$|/[A-Z]\w*_\d+$`)

// name is a layer's: the scope that its node was built in.
func name(n *graph.Node) string {
	s := number.ReplaceAllString(number.ReplaceAllString(n.Name(), ""), "")
	return strings.Trim(s, "/")
}
