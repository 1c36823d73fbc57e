package onnx

import "fmt"

// Builder adds nodes and weights to a model under names that nothing else
// bears. It works on an empty model and on one that was read, where it joins
// new nodes onto the old.
type Builder struct {
	Model *Model
	used  map[string]bool
	next  map[string]int // per wanted name: the suffix to try next
}

// NewBuilder returns a builder for m that knows every name in it.
func NewBuilder(m *Model) *Builder {
	b := &Builder{Model: m, used: map[string]bool{}, next: map[string]int{}}
	for _, v := range m.Inputs {
		b.used[v.Name] = true
	}
	for _, t := range m.Initializers {
		b.used[t.Name] = true
	}
	for _, n := range m.Nodes {
		b.used[n.Name] = true
		for _, out := range n.Outputs {
			b.used[out] = true
		}
		for name := range namesInside(n) {
			b.used[name] = true
		}
	}
	return b
}

// Unique reserves a name: want itself if it is free, else want_1, want_2 and so
// on.
func (b *Builder) Unique(want string) string {
	name := want
	for b.used[name] || name == "" {
		b.next[want]++
		name = fmt.Sprintf("%s_%d", want, b.next[want])
	}
	b.used[name] = true
	return name
}

// Input adds an input to the model and returns its name.
func (b *Builder) Input(name string, t DType, dims ...Dim) string {
	name = b.Unique(name)
	b.Model.Inputs = append(b.Model.Inputs, Value{Name: name, Type: t, Dims: dims})
	return name
}

// Output makes the value called from an output of the model, under its own
// name when that is name already, and otherwise through an Identity node.
func (b *Builder) Output(name, from string, t DType, dims ...Dim) {
	if name != from {
		name = b.Unique(name)
		b.Model.Nodes = append(b.Model.Nodes, Node{Op: "Identity", Name: name, Inputs: []string{from}, Outputs: []string{name}})
	}
	b.Model.Outputs = append(b.Model.Outputs, Value{Name: name, Type: t, Dims: dims})
}

// Const adds an initialiser and returns its name.
func (b *Builder) Const(name string, t DType, dims []int64, data Raw) string {
	name = b.Unique(name)
	b.Model.Initializers = append(b.Model.Initializers, Tensor{Name: name, Type: t, Dims: dims, Data: data})
	return name
}

// Float32s adds a Float32 initialiser; no dims make a vector of v, or a scalar
// when v has one element.
func (b *Builder) Float32s(name string, v []float32, dims ...int64) string {
	if len(dims) == 0 && len(v) != 1 {
		dims = []int64{int64(len(v))}
	}
	return b.Const(name, Float32, dims, Float32s(v))
}

// Int64s adds an Int64 initialiser: a vector of v, whatever its length. That is
// what shapes, axes and sizes have to be.
func (b *Builder) Int64s(name string, v ...int64) string {
	return b.Const(name, Int64, []int64{int64(len(v))}, Int64s(v))
}

// Op adds a node of ONNX's own operators with one output and returns the
// output's name, which is also the node's.
func (b *Builder) Op(op, name string, inputs []string, attrs ...Attr) string {
	return b.OpN(op, 1, name, inputs, attrs...)[0]
}

// OpN adds a node with n outputs, at least one, and returns their names: name, name_1, ….
func (b *Builder) OpN(op string, n int, name string, inputs []string, attrs ...Attr) []string {
	outs := make([]string, n)
	for i := range outs {
		outs[i] = b.Unique(name)
	}
	b.Model.Nodes = append(b.Model.Nodes, Node{Op: op, Name: outs[0], Inputs: inputs, Outputs: outs, Attrs: attrs})
	return outs
}
