package nets

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/graph"
	"graft/internal/columns"
)

// Layer is one row of a model's table.
type Layer struct {
	Name       string   `json:"name"`
	Ops        []string `json:"ops"`        // the operations in order, without those that only arrange elements
	Output     []int    `json:"output"`     // of one example
	Parameters int      `json:"parameters"` // trained ones, counted where they are first used
	MACs       int      `json:"macs"`       // multiply-accumulates of convolutions and matrix products, one example
}

// Layers derives the table of a model's layers from its inference graph, so that it cannot differ from what runs. The
// model's options have to be right ([Net.Check]).
func Layers(n Net) ([]Layer, error) {
	g, err := inference(n)
	if err != nil {
		return nil, fmt.Errorf("layers of a %s: %w", n.Kind(), err)
	}
	var rows []Layer
	counted := map[*graph.Node]bool{}
	for _, node := range g.Nodes() {
		if len(node.Inputs()) == 0 {
			continue
		}
		name := scope(node)
		if len(rows) == 0 || rows[len(rows)-1].Name != name {
			if name == "" {
				continue // an arrangement between layers
			}
			rows = append(rows, Layer{Name: name})
		}
		rows[len(rows)-1].add(node, counted)
	}
	return rows, nil
}

// scope is the layer that a node was built in.
func scope(n *graph.Node) string {
	at := strings.LastIndexByte(n.Name(), '/')
	return strings.ReplaceAll(n.Name()[:max(at, 0)], "/", ".")
}

var arrangements = []graph.Op{graph.OpReshape, graph.OpTranspose, graph.OpExpand, graph.OpConcat, graph.OpSlice, graph.OpPad}

func (l *Layer) add(n *graph.Node, counted map[*graph.Node]bool) {
	if op := string(n.Op()); !slices.Contains(arrangements, n.Op()) && (len(l.Ops) == 0 || l.Ops[len(l.Ops)-1] != op) {
		l.Ops = append(l.Ops, op)
	}
	l.Output = slices.Clone(n.Shape()[min(1, len(n.Shape())):])
	l.MACs += graph.MACs(n)
	for _, in := range n.Inputs() {
		if in.Trainable() && !counted[in] {
			counted[in] = true
			l.Parameters += in.Shape().Size()
		}
	}
}

// Total sums the parameters and multiply-accumulates of layers.
func Total(layers []Layer) (parameters, macs int) {
	for _, l := range layers {
		parameters += l.Parameters
		macs += l.MACs
	}
	return parameters, macs
}

// WriteTable prints layers, and their sums, as a table.
func WriteTable(w io.Writer, layers []Layer) error {
	t := columns.New(w, 2)
	fmt.Fprintln(t, "layer\toperations\toutput\tparameters\tMACs")
	for _, l := range layers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", l.Name, strings.Join(l.Ops, " "), times(l.Output), l.Parameters, l.MACs)
	}
	parameters, macs := Total(layers)
	fmt.Fprintf(t, "total\t\t\t%d\t%d\n", parameters, macs)
	return t.Flush()
}

// times writes a shape like 6×28×28.
func times(shape []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "×")
}
