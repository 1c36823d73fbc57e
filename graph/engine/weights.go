package engine

import (
	"fmt"
	"sync"

	"graft/graph"
	"graft/graph/engine/sgemm"
)

// Weights are the parameters of a network that runs in several programs, as for batches of several sizes: each is read
// once, lies once in memory, and products have theirs in the order in which they read it. Programs compiled with them
// have no updates, and their parameters are neither set nor written. They are for programs that may run at once.
type Weights struct {
	mu     sync.Mutex
	plain  map[string][]float32
	packed map[packedName]*sgemm.Packed
}

// packedName is a weight, as a product reads it.
type packedName struct {
	name         string
	trans, whole bool
}

// NewWeights returns weights of which nothing is read yet.
func NewWeights() *Weights {
	return &Weights{plain: map[string][]float32{}, packed: map[packedName]*sgemm.Packed{}}
}

// value is a parameter, row-major.
func (w *Weights) value(n *graph.Node) ([]float32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.plain[n.Name()]
	if v == nil {
		first, err := n.Initial()
		if err != nil {
			return nil, err
		}
		v = make([]float32, n.Shape().Size())
		copy(v, first)
		w.plain[n.Name()] = v
	}
	if len(v) != n.Shape().Size() {
		return nil, fmt.Errorf("%v has %d values in the program that it shares them with", n, len(v))
	}
	return v, nil
}

// pack is a parameter [k,n], or [n,k] to be transposed, for products, which may be of whole numbers.
func (w *Weights) pack(n *graph.Node, trans, whole bool) (*sgemm.Packed, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := packedName{n.Name(), trans, whole}
	if x := w.packed[key]; x != nil {
		return x, nil
	}
	v, err := n.Initial()
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = make([]float32, n.Shape().Size())
	}
	rows, columns := n.Dim(0), n.Dim(1)
	if trans {
		rows, columns = columns, rows
	}
	x := (*sgemm.Packed)(nil)
	if whole {
		x, err = sgemm.PackWhole(trans, rows, columns, v, n.Dim(1))
	} else {
		x = sgemm.Pack(trans, rows, columns, v, n.Dim(1))
	}
	w.packed[key] = x
	return x, err
}

// weight is a parameter on the right of a product of two matrices, as Weights keep it.
type weight struct {
	parameter    *graph.Node
	trans, whole bool
}

// findWeights notes the products whose right operand is a whole parameter, as it is or transposed.
func (us *units) findWeights() {
	for _, n := range us.nodes {
		if n.Op() != graph.OpMatMul || us.of[n] != nil || len(n.Shape()) != 2 || n.Attrs().(graph.MatMulAttrs).TransA {
			continue
		}
		v := us.strided(n.Inputs()[1])
		own := v.root.Shape()
		if v.root.Op() != graph.OpParameter || len(own) != 2 || len(v.shape) != 2 {
			continue
		}
		step := own.Strides()
		as := v.shape.Equal(own) && v.strides[0] == step[0] && v.strides[1] == step[1]
		turned := v.shape.Equal(graph.Shape{own[1], own[0]}) && v.strides[0] == step[1] && v.strides[1] == step[0]
		if !as && !turned {
			continue // part of it, or in another shape
		}
		us.of[n] = &unit{nodes: []*graph.Node{n}, sources: []*graph.Node{us.root(n.Inputs()[0])},
			weight: &weight{v.root, !as != n.Attrs().(graph.MatMulAttrs).TransB, n.Attrs().(graph.MatMulAttrs).Whole}}
	}
}

// planProduct plans a product with a weight, and with it the element-wise unit that alone reads it, if all else that this
// reads is there: then each part of the product is finished while it is in the cache.
func (c *compiler) planProduct(u, after *unit) {
	n := u.nodes[0]
	last := n
	source := place{c.root(n.Inputs()[0]), plain}
	c.want(source)
	i := &instruction{node: n, unit: u, in: []place{source}, out: []place{{n, plain}}}
	if after != nil {
		last = after.nodes[len(after.nodes)-1]
		more := c.fusedOperands(after, plain)
		for _, p := range more {
			if p.node != n {
				c.want(p)
				i.in = append(i.in, p)
			}
		}
		i.node, i.unit = last, after
		i.out[0].node = last
	}
	i.emit = func() []step { return c.emitProduct(u, after, c.buffers[source], c.buffers[place{last, plain}]) }
	c.add(i)
}

// finishes is the element-wise unit that can be done with a product, or nil: it reads the product before it writes its
// only result, which then is built where the product was.
func (c *compiler) finishes(u *unit) *unit {
	n := u.nodes[0]
	readers := c.readers[n]
	if c.results[n] || len(readers) == 0 {
		return nil
	}
	f := readers[0]
	for _, r := range readers {
		if r != f {
			return nil
		}
	}
	last := f.nodes[len(f.nodes)-1]
	if !f.fused || last.Shape().Size() != n.Shape().Size() || c.fusedLayout(f) != plain || !c.readsBefore(f, place{n, plain}, place{last, plain}) {
		return nil
	}
	for _, inner := range f.nodes[:len(f.nodes)-1] {
		if c.external(inner, f) {
			return nil
		}
	}
	return f
}

// finisher does the element-wise rest of a product's parts; first is the row at which its thread began.
type finisher struct {
	chain          *fused
	columns, first int
	temp           []float32
}

func (f *finisher) Done(i0, i1, j0, j1 int) {
	f.chain.block(f.first+i0, f.first+i1, j0, j1, f.columns, f.temp)
}

func (c *compiler) emitProduct(u, after *unit, a, out []float32) []step {
	n := u.nodes[0]
	x, err := c.program.options.Weights.pack(u.weight.parameter, u.weight.trans, u.weight.whole)
	if err != nil {
		c.program.fault.set(fmt.Errorf("engine: compile: %w", err))
		return nil
	}
	m, columns, k := n.Dim(0), n.Dim(1), n.Inputs()[0].Dim(-1)
	finishers := make([]sgemm.Finisher, c.threads)
	own := make([]finisher, c.threads)
	if after != nil {
		c.buffers[place{n, plain}] = out
		chain := c.fuse(after, plain)
		c.tempSize = max(c.tempSize, chain.slots*fusedBlock)
		for i := range own {
			own[i] = finisher{chain: chain, columns: columns}
			finishers[i] = &own[i]
		}
	}
	parts := c.parts(m * columns * k / 32)
	byRows := m >= 4*rowsWorth*parts || m >= columns
	return []step{{node: n, parts: parts, run: func(part, parts int) {
		i0, i1, j0, j1 := 0, m, 0, columns
		if byRows {
			i0, i1 = chunk(m, rowsWorth, part, parts)
		} else {
			j0, j1 = chunk(columns, x.Panel(), part, parts)
		}
		if i0 < i1 && j0 < j1 {
			own[part].first, own[part].temp = i0, c.temps[part]
			sgemm.Serial.GemmPacked(i1-i0, a[i0*k:], k, x, j0, j1, out[i0*columns:], columns, finishers[part])
		}
	}}}
}

// rowsWorth is the number of rows that tiles of both widths divide.
const rowsWorth = 12
