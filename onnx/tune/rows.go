package tune

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// row is the part of a value that is read: the index along an axis. No row is
// axis whole.
type row struct {
	axis  int
	index int64
}

// mover moves the picking of rows up through a graph.
type mover struct {
	*graph
	m     *onnx.Model
	b     *onnx.Builder
	need  map[string]row    // per value that is read
	short map[string]bool   // values that are computed for their row alone
	picks map[string]string // rows of values that are computed whole
}

// rows computes nothing but a row where nothing but that is read. Graphs in which
// that saves no product stay as they are.
func rows(m *onnx.Model) {
	v := &mover{graph: newGraph(m), m: m, need: map[string]row{}, short: map[string]bool{}, picks: map[string]string{}}
	if v.survey() == 0 {
		return
	}
	v.b = onnx.NewBuilder(m)
	nodes := m.Nodes
	m.Nodes = make([]onnx.Node, 0, len(nodes))
	for _, n := range nodes {
		m.Nodes = append(m.Nodes, v.move(n)) // after what move itself adds
	}
}

// survey settles from the outputs backwards what is read of every value, and
// counts the products that become short.
func (v *mover) survey() (products int) {
	for _, o := range v.m.Outputs {
		v.read(o.Name, row{axis: whole})
	}
	for _, n := range slices.Backward(v.m.Nodes) {
		inputs, ok := v.rowsOf(n)
		if ok {
			v.short[n.Outputs[0]] = true
			if n.Op == "MatMul" {
				products++
			}
		}
		for j, name := range n.Inputs {
			switch {
			case ok:
				v.read(name, row{inputs[j], v.need[n.Outputs[0]].index})
			case j == 0:
				v.read(name, v.picked(n))
			default:
				v.read(name, row{axis: whole})
			}
		}
		for name := range n.Reads() {
			if _, known := v.need[name]; !known {
				v.read(name, row{axis: whole}) // by a graph inside the node
			}
		}
	}
	return products
}

// rowsOf tells what n's inputs must give where a row of its output is all that is
// read.
func (v *mover) rowsOf(n onnx.Node) ([]int, bool) {
	if len(n.Outputs) != 1 {
		return nil, false
	}
	r, ok := v.need[n.Outputs[0]]
	if !ok || r.axis == whole {
		return nil, false
	}
	return v.rowRule(n, r.axis)
}

// picked is the row that a Gather picks; every other node takes all.
func (v *mover) picked(n onnx.Node) row {
	if n.Op != "Gather" || n.Domain != "" {
		return row{axis: whole}
	}
	index, axis := v.constants(n.Inputs[1]), n.Int("axis", 0)
	if _, known := v.ranks[n.Inputs[0]]; !known || len(index) != 1 || index[0] < 0 || axis < 0 {
		return row{axis: whole}
	}
	return row{int(axis), index[0]}
}

// read notes that r of a value is read. Different rows make the whole.
func (v *mover) read(name string, r row) {
	if name == "" {
		return
	}
	if r.axis == whole {
		r.index = 0
	}
	if old, ok := v.need[name]; ok && old != r {
		r = row{axis: whole}
	}
	v.need[name] = r
}

// move returns n as it has to be now.
func (v *mover) move(n onnx.Node) onnx.Node {
	if len(n.Outputs) == 1 && v.short[n.Outputs[0]] {
		inputs, _ := v.rowsOf(n)
		n.Inputs = slices.Clone(n.Inputs)
		for i, axis := range inputs {
			if axis != whole && !v.short[n.Inputs[i]] {
				n.Inputs[i] = v.pick(n.Inputs[i], row{axis, v.need[n.Outputs[0]].index})
			}
		}
		return n
	}
	if r := v.picked(n); r.axis != whole && v.short[n.Inputs[0]] && r.index > 0 {
		dims := v.Weights[n.Inputs[1]].Dims
		n.Inputs = []string{n.Inputs[0], v.b.Const("only_row", onnx.Int64, dims, onnx.Int64s([]int64{0}))}
	}
	return n
}

// pick adds the node that takes r of a value that is computed whole.
func (v *mover) pick(name string, r row) string {
	key := fmt.Sprint(name, r)
	if v.picks[key] == "" {
		index := v.b.Int64s("picked_row", r.index)
		v.picks[key] = v.b.Op("Gather", name+"_row", []string{name, index}, onnx.Attr{Name: "axis", Value: r.axis})
	}
	return v.picks[key]
}
