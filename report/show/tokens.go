package show

import (
	"slices"

	"graft/graph"
)

// most is how many tokens may stand before those of the patches.
const most = 16

// findAttention finds the blocks of attention over the image's patches.
func (a *anatomy) findAttention(grid [2]int) {
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
	a.findBlocks()
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

// findBlocks finds where the tokens come into each block of attention and leave it: the last cut before the block's
// softmax, and that before the next one's. The last block has as many cuts as the one before it; what comes then is
// the network's last normalisation.
func (a *anatomy) findBlocks() {
	var cuts []*graph.Node
	for _, c := range a.cuts {
		if a.stream(c) {
			cuts = append(cuts, c)
		}
	}
	before := func(n *graph.Node) int { // how many cuts come before a node
		return len(cuts) - len(slices.DeleteFunc(slices.Clone(cuts), func(c *graph.Node) bool { return c.ID() < n.ID() }))
	}
	for i, n := range a.attention {
		from := before(n)
		if from == 0 {
			a.entries, a.exits = nil, nil
			return
		}
		to := len(cuts)
		switch {
		case i+1 < len(a.attention):
			to = before(a.attention[i+1])
		case i > 0:
			to = min(from+from-before(a.attention[i-1]), len(cuts))
		default:
			for to > from+1 && cuts[to-1].Op() == graph.OpLayerNormalization && cuts[to-2].Op() == graph.OpAdd {
				to--
			}
		}
		if to <= from {
			a.entries, a.exits = nil, nil
			return
		}
		a.entries, a.exits = append(a.entries, cuts[from-1]), append(a.exits, cuts[to-1])
	}
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
