package show

import (
	"slices"

	"graft/graph"
)

// most is how many tokens may stand before those of the patches.
const most = 16

// findAttention finds the blocks of attention over the image's patches.
func (a *anatomy) findAttention(g *graph.Graph, grid [2]int) {
	var own []*graph.Node
	for _, n := range a.nodes {
		if n.Op() != graph.OpSoftmax || len(n.Shape()) < 3 || !slices.ContainsFunc(a.readers[n], func(r *graph.Node) bool { return r.Op() == graph.OpMatMul }) {
			continue
		}
		if n.Dim(-1) == n.Dim(-2) {
			a.lastAttention = n.ID()
		}
		switch whole := len(n.Shape()) == 3 && a.batch == 1 || len(n.Shape()) == 4 && n.Dim(0) == a.batch; {
		case n.Dim(-2) == 1 && whole && n.Dim(-1) > 1:
			a.pooling = append(a.pooling, n)
		case n.Dim(-1) == n.Dim(-2) && whole:
			own = append(own, n)
		case n.Dim(-1) == n.Dim(-2):
			a.windows++
		}
	}
	if len(own) == 0 {
		return
	}
	a.tokens = own[len(own)-1].Dim(-1)
	for _, n := range own {
		if n.Dim(-1) == a.tokens {
			a.attention = append(a.attention, n)
		} else {
			a.windows++
		}
	}
	if !a.findGrid(grid) {
		a.windows, a.attention = a.windows+len(a.attention), nil
		return
	}
	a.findBlocks(g)
}

// findGrid tells which tokens are patches, and how they lie: as the last convolution before attention gives them, or as
// larger patches of its map, else as a square.
func (a *anatomy) findGrid(known [2]int) bool {
	fits := func(h, w int) bool {
		a.grid, a.prefix = [2]int{h, w}, a.tokens-h*w
		return h > 0 && w > 0 && a.prefix >= 0 && a.prefix <= most
	}
	if known != [2]int{} {
		return fits(known[0], known[1])
	}
	var last *graph.Node
	for _, s := range a.convolutions {
		if s.node.ID() < a.attention[0].ID() {
			last = s.node
		}
	}
	for p := 1; last != nil && p <= min(last.Dim(2), last.Dim(3)); p++ {
		if last.Dim(2)%p == 0 && last.Dim(3)%p == 0 && fits(last.Dim(2)/p, last.Dim(3)/p) {
			return true
		}
	}
	for side := 1; last == nil && side*side <= a.tokens; side++ {
		if k := a.tokens - side*side; k <= 1 && fits(side, side) {
			return true
		}
	}
	return false
}

// stream tells whether a node is all tokens.
func (a *anatomy) stream(n *graph.Node) bool {
	s := n.Shape()
	return len(s) == 3 && s[0] == a.batch && s[1] == a.tokens || a.batch == 1 && (len(s) == 3 && s[1] == 1 && s[0] == a.tokens || len(s) == 2 && s[0] == a.tokens)
}

// findBlocks finds where the tokens come into each block of attention and leave it. They come in at the last tensor before
// the block's softmax through which everything passes on the way to the last block's residual sum: features that a head
// takes on the way do not matter there. They leave a block where they come into the next one.
func (a *anatomy) findBlocks(g *graph.Graph) {
	sum := a.residual(a.attention[len(a.attention)-1])
	if sum == nil {
		return
	}
	way := &anatomy{}
	way.walk(g, a.nodes[0], sum)
	for _, n := range a.attention {
		from := a.before(way.cuts, n)
		if len(from) == 0 {
			a.entries = nil
			return
		}
		a.entries = append(a.entries, from[len(from)-1])
	}
	a.exits = slices.Clone(a.entries[1:])
	if end := a.lastExit(); end != nil {
		a.exits = append(a.exits, end)
	}
}

// residual is the first sum of tokens with what a softmax of attention decides, nil where there is none.
func (a *anatomy) residual(softmax *graph.Node) *graph.Node {
	decided := map[*graph.Node]bool{softmax: true}
	for _, n := range a.nodes {
		for _, x := range n.Inputs() {
			decided[n] = decided[n] || decided[x]
		}
		if decided[n] && n.Op() == graph.OpAdd && a.stream(n) && a.data(n.Inputs()[0]) && a.data(n.Inputs()[1]) {
			return n
		}
	}
	return nil
}

// before are those of cuts that are all tokens and come before a node.
func (a *anatomy) before(cuts []*graph.Node, n *graph.Node) (out []*graph.Node) {
	for _, c := range cuts {
		if c.ID() < n.ID() && a.stream(c) {
			out = append(out, c)
		}
	}
	return out
}

// lastExit is where the tokens leave the last block: behind as many tensors through which everything passes as within the
// block before; what comes then is the network's last normalisation. nil: nothing lies there through which everything
// passes, as where a head takes features on the way.
func (a *anatomy) lastExit() *graph.Node {
	n := len(a.attention)
	from := len(a.before(a.cuts, a.attention[n-1]))
	var behind []*graph.Node
	for _, c := range a.cuts {
		if c.ID() > a.attention[n-1].ID() && a.stream(c) {
			behind = append(behind, c)
		}
	}
	if from == 0 || len(behind) == 0 {
		return nil
	}
	if n > 1 {
		return behind[min(max(from-len(a.before(a.cuts, a.attention[n-2])), 1), len(behind))-1]
	}
	for len(behind) > 1 && behind[len(behind)-1].Op() == graph.OpLayerNormalization && behind[len(behind)-2].Op() == graph.OpAdd {
		behind = behind[:len(behind)-1]
	}
	return behind[len(behind)-1]
}

// rows is how many vectors of the last axis a node has for each image.
func (a *anatomy) rows(n *graph.Node) int { return n.Shape().Size() / a.batch / max(n.Dim(-1), 1) }

// embedding finds what the tokens begin with: the sum of patches (with rows for other tokens) and positions, each with a
// row for each token, or for each patch where the others come later.
func (a *anatomy) embedding() (patches, positions, sum *graph.Node) {
	for _, n := range a.nodes {
		if len(a.attention) == 0 || n.ID() > a.attention[0].ID() {
			break
		}
		rows := a.rows(n)
		if n.Op() != graph.OpAdd || len(n.Shape()) != 3 || rows != a.tokens && rows != a.tokens-a.prefix {
			continue
		}
		for i, x := range n.Inputs() {
			if other := n.Inputs()[1-i]; !a.data(x) && x.Dim(-1) == n.Dim(-1) && x.Shape().Size() == rows*n.Dim(-1) && other.Shape().Equal(n.Shape()) {
				return other, x, n
			}
		}
	}
	return nil, nil, nil
}

// normed is the normalised tokens that a block's attention reads, or the tokens themselves where it normalises later.
func (a *anatomy) normed(block int) *graph.Node {
	entry := a.entries[block]
	for _, r := range a.readers[entry] {
		if r.Op() == graph.OpLayerNormalization && r.ID() < a.attention[block].ID() {
			return r
		}
	}
	return entry
}
