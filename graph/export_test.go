package graph

// Fixtures names the entries of testdata/operations.json that an operation's row lists.
func Fixtures(op Op) []string { return rows[op].fixtures }

// Ships tells whether an operation has an ONNX form.
func Ships(op Op) bool { return rows[op].batch != nil }

// Apply builds an operation that has no attributes.
func Apply(g *Graph, op Op, in []*Node) *Node { return g.apply(op, nil, in...) }
