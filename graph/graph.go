package graph

import (
	"errors"
	"fmt"
	"slices"
)

// Type says what a tensor's elements are.
type Type uint8

// Float elements are real numbers; Bool ones come from comparisons; Int ones index rows.
const (
	Float Type = iota
	Bool
	Int
)

func (t Type) String() string { return [...]string{"float", "bool", "int"}[t] }

// Node is one value of a graph: an input, a parameter, a constant or the result of an operation.
type Node struct {
	graph     *Graph
	id        int
	op        Op
	name      string
	in        []*Node
	shape     Shape
	typ       Type
	attrs     any
	value     []float64                 // constants
	initial   func() ([]float32, error) // parameters; nil: zeros
	trainable bool
	gradient  bool
}

// ID numbers the nodes in order of creation; a node's inputs have smaller ones.
func (n *Node) ID() int { return n.id }

// Op is the operation that makes the node.
func (n *Node) Op() Op { return n.op }

// Name is the given name of an input or parameter; other nodes are named by scope, operation and number.
func (n *Node) Name() string { return n.name }

// Inputs are the node's operands; the slice must not be changed.
func (n *Node) Inputs() []*Node { return n.in }

// Shape must not be changed by the caller. A node that could not be built has a nil shape.
func (n *Node) Shape() Shape { return n.shape }

// Dim is the size along an axis, negative ones counted from the end; 0 where there is no such axis.
func (n *Node) Dim(a int) int {
	p, err := axis(a, len(n.shape))
	if err != nil {
		return 0
	}
	return n.shape[p]
}

// Type is the kind of the elements.
func (n *Node) Type() Type { return n.typ }

// Attrs is the operation's own attribute struct, or nil.
func (n *Node) Attrs() any { return n.attrs }

// Value is a constant's value, nil for other nodes.
func (n *Node) Value() []float64 { return n.value }

// Initial is a parameter's starting value, nil for zeros and for other nodes. Where it has to be read first, as that of
// [Graph.LazyParameter], each call reads it.
func (n *Node) Initial() ([]float32, error) {
	if n.initial == nil {
		return nil, nil
	}
	v, err := n.initial()
	if err == nil && len(v) != n.shape.Size() {
		err = fmt.Errorf("shape %v wants %d values, got %d", n.shape, n.shape.Size(), len(v))
	}
	if err != nil {
		return nil, fmt.Errorf("parameter %q: %w", n.name, err)
	}
	return v, nil
}

// Trainable tells parameters that are learned from those that are state (an optimiser's moments, running means).
func (n *Node) Trainable() bool { return n.trainable }

// IsGradient tells nodes that [Gradient] returned: where a training step is checked for NaN before it changes anything.
func (n *Node) IsGradient() bool { return n.gradient }

func (n *Node) String() string { return fmt.Sprintf("%s %v", n.name, []int(n.shape)) }

// Update gives a parameter a new value at the end of a step.
type Update struct{ Parameter, Value *Node }

// Graph holds nodes in order of creation, and the updates of its parameters. Its zero value is ready for use. It is
// not safe for concurrent building.
type Graph struct {
	nodes   []*Node
	updates []Update
	names   map[string]*Node
	scalars map[float64]*Node
	scope   string
	err     error
}

// New returns an empty graph.
func New() *Graph { return &Graph{} }

// Err is the first error met while building, or nil.
func (g *Graph) Err() error { return g.err }

// Nodes lists all nodes in order of creation.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.nodes) }

// Updates lists the updates in order.
func (g *Graph) Updates() []Update { return slices.Clone(g.updates) }

// Lookup finds an input or parameter by name, nil if there is none.
func (g *Graph) Lookup(name string) *Node { return g.names[name] }

// Parameters lists the parameters in order of creation: learned ones, or all.
func (g *Graph) Parameters(all bool) []*Node {
	var out []*Node
	for _, n := range g.nodes {
		if n.op == OpParameter && (all || n.trainable) {
			out = append(out, n)
		}
	}
	return out
}

// Scope puts a prefix before the names of the operations built until the returned function is called:
//
//	defer g.Scope("block0")()
func (g *Graph) Scope(name string) (end func()) {
	outer := g.scope
	g.scope += name + "/"
	return func() { g.scope = outer }
}

// Fail has a graph whose nodes are built by functions that return no error keep one, as [Graph.Err] gives it.
func (g *Graph) Fail(err error) { g.fail(err) }

// fail keeps the first error and returns a node without shape, on which later calls do nothing.
func (g *Graph) fail(err error) *Node {
	if g.err == nil {
		g.err = fmt.Errorf("graph: %w", err)
	}
	return &Node{graph: g, id: -1, name: "invalid"}
}

func (g *Graph) add(n *Node) *Node {
	n.graph, n.id = g, len(g.nodes)
	g.nodes = append(g.nodes, n)
	return n
}

func (g *Graph) addNamed(n *Node) *Node {
	if g.err != nil {
		return g.fail(g.err)
	}
	if err := n.shape.check(); err != nil {
		return g.fail(fmt.Errorf("%s %q: %w", n.op, n.name, err))
	}
	if n.name == "" {
		return g.fail(fmt.Errorf("%s of shape %v without a name", n.op, n.shape))
	}
	if g.names[n.name] != nil {
		return g.fail(fmt.Errorf("%s %q: the name is taken", n.op, n.name))
	}
	if g.names == nil {
		g.names = map[string]*Node{}
	}
	g.names[n.name] = n
	return g.add(n)
}

// Input declares a tensor that the caller sets before each step.
func (g *Graph) Input(name string, shape ...int) *Node {
	return g.addNamed(&Node{op: OpInput, name: name, shape: slices.Clone(shape)})
}

// Indices declares an input of whole numbers, as [Graph.Gather] takes them.
func (g *Graph) Indices(name string, shape ...int) *Node {
	return g.addNamed(&Node{op: OpInput, name: name, shape: slices.Clone(shape), typ: Int})
}

// Parameter declares a learned tensor with its starting value, row-major; nil starts from zeros. The value is not
// copied and must not be changed while the graph is in use.
func (g *Graph) Parameter(name string, value []float32, shape ...int) *Node {
	return g.parameter(name, value, shape, true)
}

// State declares a tensor that lives from step to step without being learned: running means, an optimiser's moments.
func (g *Graph) State(name string, value []float32, shape ...int) *Node {
	return g.parameter(name, value, shape, false)
}

// LazyParameter declares a tensor whose starting value is read when a program is compiled: learned, or, like that of
// [Graph.State], not.
func (g *Graph) LazyParameter(name string, trainable bool, value func() ([]float32, error), shape ...int) *Node {
	return g.addNamed(&Node{op: OpParameter, name: name, shape: slices.Clone(shape), initial: value, trainable: trainable})
}

func (g *Graph) parameter(name string, value []float32, shape Shape, trainable bool) *Node {
	if err := shape.check(); err == nil && value != nil && len(value) != shape.Size() {
		return g.fail(fmt.Errorf("parameter %q: shape %v wants %d values, got %d", name, shape, shape.Size(), len(value)))
	}
	var initial func() ([]float32, error)
	if value != nil {
		initial = func() ([]float32, error) { return value, nil }
	}
	return g.LazyParameter(name, trainable, initial, shape...)
}

// Constant declares a tensor of fixed values, row-major.
func (g *Graph) Constant(value []float64, shape ...int) *Node {
	s := Shape(slices.Clone(shape))
	if g.err != nil {
		return g.fail(g.err)
	}
	if err := s.check(); err != nil {
		return g.fail(fmt.Errorf("constant: %w", err))
	}
	if len(value) != s.Size() {
		return g.fail(fmt.Errorf("constant: shape %v wants %d values, got %d", s, s.Size(), len(value)))
	}
	return g.add(&Node{op: OpConstant, name: fmt.Sprintf("%sConstant_%d", g.scope, len(g.nodes)), shape: s, value: slices.Clone(value)})
}

// ConstantIndices declares fixed whole numbers, as [Graph.Gather] takes them.
func (g *Graph) ConstantIndices(value []float64, shape ...int) *Node {
	n := g.Constant(value, shape...)
	n.typ = Int
	return n
}

// Scalar declares a constant of rank 0; equal ones are shared.
func (g *Graph) Scalar(v float64) *Node {
	if n := g.scalars[v]; n != nil && g.err == nil {
		return n
	}
	n := g.Constant([]float64{v})
	if g.scalars == nil {
		g.scalars = map[float64]*Node{}
	}
	if n.id >= 0 {
		g.scalars[v] = n
	}
	return n
}

// Update gives a parameter a new value at the end of each step. A parameter is updated at most once.
func (g *Graph) Update(parameter, value *Node) {
	if g.err != nil {
		return
	}
	if err := g.checkUpdate(parameter, value); err != nil {
		g.fail(err)
		return
	}
	g.updates = append(g.updates, Update{parameter, value})
}

// Hold has the updates from a place in [Graph.Updates] on happen only in steps in which a scalar condition is true.
func (g *Graph) Hold(from int, condition *Node) {
	if g.err != nil {
		return
	}
	if from < 0 || condition == nil || condition.graph != g || condition.typ != Bool || condition.shape.Size() != 1 {
		g.fail(fmt.Errorf("updates from %d on held by %v: wanted a place and a scalar bool of the graph", from, condition))
		return
	}
	for i := from; i < len(g.updates); i++ {
		u := &g.updates[i]
		u.Value = g.Where(condition, u.Value, u.Parameter)
	}
}

func (g *Graph) checkUpdate(parameter, value *Node) error {
	if parameter == nil || value == nil {
		return errors.New("update: a node is nil")
	}
	if parameter.graph != g || value.graph != g {
		return fmt.Errorf("update of %s: a node of another graph", parameter.name)
	}
	if parameter.op != OpParameter {
		return fmt.Errorf("update of %s: only parameters are updated, got %s", parameter.name, parameter.op)
	}
	if !parameter.shape.Equal(value.shape) || value.typ != Float {
		return fmt.Errorf("update of %s: wanted float %v, got %s %v from %s",
			parameter.name, parameter.shape, value.typ, value.shape, value.name)
	}
	for _, u := range g.updates {
		if u.Parameter == parameter {
			return fmt.Errorf("update of %s: it is updated twice", parameter.name)
		}
	}
	return nil
}
