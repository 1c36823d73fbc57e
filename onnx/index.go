package onnx

// Index finds the nodes and weights of a model by the names of values. It is of the model as it was: nodes and weights
// added later are not in it.
type Index struct {
	Producers map[string]*Node
	Readers   map[string][]*Node // nil stands for the model's own output
	Weights   map[string]Tensor  // initialisers
}

// NewIndex indexes m.
func NewIndex(m *Model) Index {
	x := Index{map[string]*Node{}, map[string][]*Node{}, map[string]Tensor{}}
	for i := range m.Nodes {
		for _, out := range m.Nodes[i].Outputs {
			x.Producers[out] = &m.Nodes[i]
		}
		for name := range m.Nodes[i].Reads() {
			x.Readers[name] = append(x.Readers[name], &m.Nodes[i])
		}
	}
	for _, v := range m.Outputs {
		x.Readers[v.Name] = append(x.Readers[v.Name], nil)
	}
	for _, t := range m.Initializers {
		x.Weights[t.Name] = t
	}
	return x
}

// Constant is the tensor that a name always stands for: an initialiser, or what a Constant node holds.
func (x Index) Constant(name string) (Tensor, bool) {
	if t, ok := x.Weights[name]; ok {
		return t, true
	}
	n, ok := x.Producers[name]
	if !ok || n.Op != "Constant" || n.Domain != "" {
		return Tensor{}, false
	}
	t, ok := n.Attr("value").(Tensor)
	return t, ok
}

// Matrix is the float32 initialiser [in,out] on the right of a MatMul; neither dimension is 0.
func (x Index) Matrix(n Node) (Tensor, bool) {
	if n.Op != "MatMul" || n.Domain != "" || len(n.Inputs) != 2 {
		return Tensor{}, false
	}
	t, ok := x.Weights[n.Inputs[1]]
	return t, ok && t.Type == Float32 && len(t.Dims) == 2 && t.Dims[0] > 0 && t.Dims[1] > 0
}

// Attr is the value of an attribute, nil where the node has none of that name.
func (n Node) Attr(name string) any {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

// Int is an attribute of one integer, or what its absence means.
func (n Node) Int(name string, absent int64) int64 {
	switch v := n.Attr(name).(type) {
	case int64:
		return v
	case int:
		return int64(v)
	}
	return absent
}

// Ints is an attribute of several integers, or nil.
func (n Node) Ints(name string) []int64 {
	v, _ := n.Attr(name).([]int64)
	return v
}

// Float is an attribute of one number, or what its absence means.
func (n Node) Float(name string, absent float64) float64 {
	if v, ok := n.Attr(name).(float32); ok {
		return float64(v)
	}
	return absent
}

// Str is an attribute of one string, or what its absence means.
func (n Node) Str(name, absent string) string {
	if v, ok := n.Attr(name).(string); ok {
		return v
	}
	return absent
}
