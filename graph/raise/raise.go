// Package raise is the inverse of package lower: it turns an ONNX model, or the part of it between tensors, into nodes of
// a graph, for the static shape of its inputs.
//
// Weights become parameters that keep the name, shape and layout of the initialiser they come from and are read when a
// program is compiled. Constants and the arithmetic on shapes that exporters write out are folded. Forms that exporters
// take apart are recognised: layer norm and the activations. Each operator is one entry of a table, beside its family;
// what has none is an error that names node and operator and says how much was understood up to it.
package raise

import (
	"fmt"
	"maps"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// Options say which part of a model is raised, and what stands for its tensors.
type Options struct {
	// Inputs are the tensors where the part begins, by name, with their static shapes, the batch included. Inputs of the
	// model that are not among them need static shapes of their own; for arithmetic on shapes alone their batch may be open.
	Inputs map[string][]int
	// Given are nodes that stand for tensors where the part begins, in the place of inputs of its own. With any, the model's
	// inputs are declared only where Inputs names them.
	Given map[string]*graph.Node
	// Outputs are the tensors where it ends; nil: the model's outputs.
	Outputs []string
	// Trainable, if set, tells by name which weights are learned; the others are state. A parameter that the graph has under a
	// weight's name and shape stands for it as it is.
	Trainable func(name string) bool
	// Running, if set, tells by the name of a running mean which batch normalisations are trained: they normalise by the
	// batch's own statistics, and have the running ones updated.
	Running func(mean string) bool
	// Exported is the number of examples that a file is fixed to and Batch that of the part, where they differ: shapes that
	// begin with the first then begin with the second, of values that do so.
	Exported, Batch int
	// Wrap, if set, sees the node of every tensor once it is built, the weights' too; what it returns stands for the tensor
	// to all that read it. So LoRA wraps a weight, and stochastic depth a residual branch.
	Wrap func(name string, x *graph.Node) *graph.Node
}

// Part is what was raised. A uint8 input of the model is an input holding 0…255.
type Part struct {
	Inputs  map[string]*graph.Node // by the tensor's name
	Outputs []*graph.Node          // in the order of Options.Outputs
	Values  map[string]*graph.Node // every tensor of the part that has a node
}

// Nodes adds to g what the outputs need.
func Nodes(g *graph.Graph, m *onnx.Model, o Options) (*Part, error) {
	if len(o.Outputs) == 0 {
		for _, v := range m.Outputs {
			o.Outputs = append(o.Outputs, v.Name)
		}
	}
	r, err := begin(g, m, onnx.NewIndex(m), o)
	if err != nil {
		return nil, fmt.Errorf("raise: %w", err)
	}
	if err := r.build(o.Outputs); err != nil {
		return nil, fmt.Errorf("raise: %w", err)
	}
	for _, name := range o.Outputs {
		x, err := r.node(name)
		if err != nil {
			return nil, fmt.Errorf("raise: output: %w", err)
		}
		r.part.Outputs = append(r.part.Outputs, x)
	}
	return r.part, g.Err()
}

// begin declares the tensors where a part begins.
func begin(g *graph.Graph, m *onnx.Model, index onnx.Index, o Options) (*raiser, error) {
	r := &raiser{g: g, model: m, options: o, index: index, values: map[string]*value{}, wholes: map[*graph.Node]whole{}, part: &Part{Inputs: map[string]*graph.Node{}, Values: map[string]*graph.Node{}}}
	return r, r.inputs()
}

// build raises what tensors need and is not there yet.
func (r *raiser) build(outputs []string) error {
	needed := r.needed(outputs)
	for i, n := range needed {
		if err := r.visit(n); err != nil {
			return fmt.Errorf("node %d of %d, %s: %w%s", i+1, len(needed), describe(n), err, r.last())
		}
	}
	return nil
}

type raiser struct {
	g       *graph.Graph
	model   *onnx.Model
	options Options
	index   onnx.Index
	values  map[string]*value
	part    *Part
	wholes  map[*graph.Node]whole
	latest  string  // the last tensor that was understood
	apart   *raiser // of what is only measured
}

// value is what a tensor stands for: a constant, or a node.
type value struct {
	fixed *fixed
	node  *graph.Node
	typ   onnx.DType
}

// UnknownError is of an operator that no rule knows.
type UnknownError struct{ Op string }

func (e *UnknownError) Error() string { return fmt.Sprintf("the operator %s is not known here", e.Op) }

func describe(n onnx.Node) string {
	name := n.Name
	if name == "" && len(n.Outputs) > 0 {
		name = n.Outputs[0]
	}
	return fmt.Sprintf("%s %q", n.Op, name)
}

// last says how far the model was understood.
func (r *raiser) last() string {
	if r.latest == "" {
		return ""
	}
	return fmt.Sprintf("; understood up to %q %v", r.latest, []int(r.part.Values[r.latest].Shape()))
}

// inputs declares the tensors where the part begins.
func (r *raiser) inputs() error {
	shapes := map[string][]int{}
	types := map[string]onnx.DType{}
	for _, v := range r.model.Inputs {
		types[v.Name] = v.Type
		if shape, ok := static(v.Dims); ok && r.options.Given == nil {
			shapes[v.Name] = shape
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.options.Given)) {
		r.keep(name, &value{node: r.options.Given[name], typ: onnx.Float32})
	}
	for name, shape := range r.options.Inputs {
		if _, ofModel := types[name]; !ofModel && r.index.Producers[name] == nil {
			return fmt.Errorf("the model has no tensor %q to begin at", name)
		}
		shapes[name] = shape
	}
	names := []string{}
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		declare := r.g.Input
		if t := types[name]; t == onnx.Int64 || t == onnx.Int32 {
			declare = r.g.Indices
		}
		x := declare(name, shapes[name]...)
		r.part.Inputs[name] = x
		r.keep(name, &value{node: x, typ: onnx.Float32})
	}
	return r.g.Err()
}

func static(dims []onnx.Dim) ([]int, bool) {
	var shape []int
	for _, d := range dims {
		if d.Name != "" || d.Value < 1 {
			return nil, false
		}
		shape = append(shape, int(d.Value))
	}
	return shape, dims != nil
}

// needed lists the nodes that outputs need and that were not visited, in the model's order, in which operands come first.
func (r *raiser) needed(outputs []string) []onnx.Node {
	want := map[string]bool{}
	for _, name := range outputs {
		want[name] = true
	}
	var out []onnx.Node
	for _, n := range slices.Backward(r.model.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(name string) bool { return want[name] && r.values[name] == nil }) {
			continue
		}
		out = append(out, n)
		if measures(n) {
			continue // see measured
		}
		for name := range n.Reads() {
			want[name] = true
		}
	}
	slices.Reverse(out)
	return out
}

// visit gives a node's outputs their values.
func (r *raiser) visit(n onnx.Node) error {
	c := &call{raiser: r, Node: n, g: r.g}
	if values, err := c.fold(); values != nil || err != nil {
		return r.store(n, values, err)
	}
	rule := rules[n.Op]
	if rule == nil || n.Domain != "" && n.Domain != "ai.onnx" {
		return &UnknownError{qualified(n)}
	}
	defer r.g.Scope(n.Outputs[0])()
	nodes, err := rule(c)
	if err == nil {
		err = r.g.Err()
	}
	var values []*value
	for _, x := range nodes {
		values = append(values, &value{node: recognise(r.g, x), typ: onnx.Float32})
	}
	return r.store(n, values, err)
}

func qualified(n onnx.Node) string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

func (r *raiser) store(n onnx.Node, values []*value, err error) error {
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if i < len(values) && name != "" {
			r.keep(name, values[i])
		}
	}
	return r.g.Err()
}

// keep notes what a tensor stands for.
func (r *raiser) keep(name string, v *value) {
	r.values[name] = v
	if v.node == nil {
		return
	}
	if r.options.Wrap != nil && v.node.Type() == graph.Float {
		v.node = r.options.Wrap(name, v.node)
	}
	r.part.Values[name] = v.node
	if v.node.Op() != graph.OpParameter {
		r.latest = name
	}
}

// value finds what a tensor stands for. Weights are declared when they are first read.
func (r *raiser) value(name string) (*value, error) {
	if v := r.values[name]; v != nil {
		return v, nil
	}
	t, ok := r.index.Weights[name]
	if !ok {
		if p := r.index.Producers[name]; p != nil {
			return nil, fmt.Errorf("tensor %q, an output of %s, is not understood or lies before the part's beginning", name, describe(*p))
		}
		for _, v := range r.model.Inputs {
			if v.Name == name {
				return nil, fmt.Errorf("the model's input %v has no static shape: give one", v)
			}
		}
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	v, err := r.weight(t, true)
	if err == nil {
		r.keep(name, v)
	}
	return v, err
}

// weight is an initialiser as a value: whole numbers but those of 8 bits, truths and single numbers are constants, the rest
// parameters.
func (r *raiser) weight(t onnx.Tensor, trainable bool) (*value, error) {
	elements, err := onnx.Elements(t.Dims)
	if err != nil {
		return nil, err
	}
	if narrow(t) {
		return r.parameter(t.Name, t.Dims, func() ([]float32, error) { return widened(t) }, false)
	}
	if elements <= 1 || !floating(t.Type) {
		f, err := fixedOf(t)
		return &value{fixed: f, typ: t.Type}, err
	}
	trainable = trainable && (r.options.Trainable == nil || r.options.Trainable(t.Name))
	return r.parameter(t.Name, t.Dims, t.Float32s, trainable)
}

// parameter declares a weight that is read when a program is compiled.
func (r *raiser) parameter(name string, dims []int64, read func() ([]float32, error), trainable bool) (*value, error) {
	shape := make([]int, len(dims))
	for i, d := range dims {
		shape[i] = int(d)
	}
	if x := r.g.Lookup(name); x != nil && x.Op() == graph.OpParameter && x.Shape().Equal(shape) {
		return &value{node: x, typ: onnx.Float32}, nil // raised into this graph before
	}
	return &value{node: r.g.LazyParameter(name, trainable, read, shape...), typ: onnx.Float32}, r.g.Err()
}

// node is the node of a tensor in the graph.
func (r *raiser) node(name string) (*graph.Node, error) {
	v, err := r.value(name)
	if err != nil {
		return nil, err
	}
	if v.node == nil {
		if v.node, err = v.fixed.node(r.g, v.typ); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		r.part.Values[name] = v.node
	}
	return v.node, nil
}
