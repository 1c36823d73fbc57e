package train

import (
	"errors"
	"fmt"
	"slices"

	"graft/finetune/nets"
	"graft/onnx"
)

// What of the blocks may be trained alone.
const (
	OnlyBiases = "biases" // Ben Zaken et al. 2021, BitFit
	OnlyNorms  = "norms"  // scales and shifts of normalisations
	OnlyScale  = "scale"  // Lian et al. 2022: a scale and a shift behind every linear layer
)

// Tuning says what of the blocks learns, and how.
type Tuning struct {
	Only       string  // OnlyBiases, OnlyNorms, OnlyScale; "" for all weights
	Lora       int     // rank of matrices that are added to those of linear layers, which stand still; 0 for none
	LayerDecay float64 // the rate of a block is that of the one behind it times so much
	DropPath   float64 // how often the last block's branches are left out; the others' less, evenly
	NormStats  bool    // running statistics of batch normalisations move; else they stand still, as weights that do not learn
}

// identity tells settings apart. What came later is told only where it is set: trainings that were begun before go on.
func (t Tuning) identity() string {
	out := fmt.Sprintf("{Only:%s Lora:%d LayerDecay:%v DropPath:%v}", t.Only, t.Lora, t.LayerDecay, t.DropPath)
	if t.NormStats {
		out += " with the norms' statistics"
	}
	return out
}

func (t Tuning) check() error {
	switch {
	case t.Only != "" && t.Only != OnlyBiases && t.Only != OnlyNorms && t.Only != OnlyScale:
		return fmt.Errorf("only %q: want %s, %s or %s", t.Only, OnlyBiases, OnlyNorms, OnlyScale)
	case t.Lora < 0:
		return fmt.Errorf("lora of rank %d: want 1 or more", t.Lora)
	case t.Only != "" && t.Lora > 0:
		return fmt.Errorf("only %s and lora of rank %d: want one of them", t.Only, t.Lora)
	case !(t.LayerDecay > 0 && t.LayerDecay <= 1):
		return fmt.Errorf("layer decay %g, want above 0 and at most 1", t.LayerDecay)
	case !(t.DropPath >= 0 && t.DropPath < 1):
		return fmt.Errorf("drop path %g, want at least 0 and below 1", t.DropPath)
	}
	return nil
}

// only are the weights of a kind, nil for all.
func (p tailPlan) only(kind string) map[string]bool {
	out := map[string]bool{}
	add := func(n onnx.Node, operands ...int) {
		for _, i := range operands {
			if i < len(n.Inputs) && n.Inputs[i] != "" {
				out[n.Inputs[i]] = true
			}
		}
	}
	for _, n := range p.model.Nodes {
		norm := n.Op == "LayerNormalization" || n.Op == "BatchNormalization" || n.Op == "InstanceNormalization" || n.Op == "GroupNormalization"
		switch {
		case kind == OnlyNorms && norm:
			add(n, 1, 2)
		case kind == OnlyNorms && n.Op == "Add" && p.normOf(n) != "":
			scaled := p.index.Producers[p.normOf(n)]
			for _, name := range slices.Concat(n.Inputs, scaled.Inputs) {
				out[name] = p.vector(name)
			}
		case kind == OnlyBiases && (norm || n.Op == "Conv" || n.Op == "Gemm"):
			add(n, 2)
		case kind == OnlyBiases && n.Op == "Add":
			for _, name := range n.Inputs {
				if p.vector(name) {
					out[name] = true
				}
			}
		}
	}
	if kind == "" {
		return nil
	}
	return out
}

// vector tells weights of one axis.
func (p tailPlan) vector(name string) bool {
	t, ok := p.index.Weights[name]
	return ok && len(t.Dims) == 1
}

// normOf is the scaled tensor that a sum shifts, where an exporter took a layer norm apart: (x-mean)/root · scale + shift.
func (p tailPlan) normOf(sum onnx.Node) string {
	for _, name := range sum.Inputs {
		m := p.index.Producers[name]
		if m == nil || m.Op != "Mul" {
			continue
		}
		for _, factor := range m.Inputs {
			if d := p.index.Producers[factor]; d != nil && d.Op == "Div" && slices.ContainsFunc(m.Inputs, p.vector) {
				return name
			}
		}
	}
	return ""
}

// running are the statistics of the batch normalisations that read some of the weights.
func (p tailPlan) running(weights []string) (out []nets.Running, err error) {
	for _, n := range p.model.Nodes {
		if n.Op != "BatchNormalization" || len(n.Inputs) != 5 || !slices.ContainsFunc(n.Inputs[1:], func(name string) bool { return slices.Contains(weights, name) }) {
			continue
		}
		for _, name := range n.Inputs[3:] {
			w, ok := p.index.Weights[name]
			if !ok || w.Type != onnx.Float32 || len(p.index.Readers[name]) != 1 || !slices.Contains(weights, name) {
				return nil, fmt.Errorf("the running statistics %q of %q cannot move: want float32 weights of two channels or more that no other normalisation shares", name, n.Outputs[0])
			}
		}
		out = append(out, nets.Running{Mean: n.Inputs[3], Variance: n.Inputs[4], Channels: int(p.index.Weights[n.Inputs[3]].Dims[0])})
	}
	if out == nil {
		err = errors.New("no batch normalisation is there whose statistics could move (exporters fold them into convolutions); leave out train-norm-stats")
	}
	return out, err
}

// linears are the linear layers whose matrices are among some weights.
func (p tailPlan) linears(weights []string) (out []nets.Linear) {
	for _, n := range p.model.Nodes {
		if (n.Op != "MatMul" && n.Op != "Gemm") || len(n.Inputs) < 2 || !p.behind[n.Inputs[0]] {
			continue
		}
		w, ok := p.index.Weights[n.Inputs[1]]
		if !ok || len(w.Dims) != 2 || w.Type != onnx.Float32 || !slices.Contains(weights, w.Name) || len(p.index.Readers[w.Name]) != 1 {
			continue
		}
		l := nets.Linear{Product: n.Outputs[0], Output: n.Outputs[0], Weight: w.Name, Shape: sizes(w.Dims)}
		if n.Op == "Gemm" {
			if n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 || n.Int("transA", 0) != 0 {
				continue
			}
			l.Turned = n.Int("transB", 0) == 1
			if len(n.Inputs) == 3 {
				if !p.vector(n.Inputs[2]) || len(p.index.Readers[n.Inputs[2]]) != 1 {
					continue
				}
				l.Bias = n.Inputs[2]
			}
		} else if add := p.biased(n.Outputs[0], l.Width()); add != nil {
			l.Output, l.Bias = add.Outputs[0], add.Inputs[0]
			if l.Bias == n.Outputs[0] {
				l.Bias = add.Inputs[1]
			}
		}
		out = append(out, l)
	}
	return out
}

// biased is the sum that adds a bias of its own to a product that nothing else reads.
func (p tailPlan) biased(product string, width int) *onnx.Node {
	readers := p.index.Readers[product]
	if len(readers) != 1 || readers[0] == nil || readers[0].Op != "Add" {
		return nil
	}
	for _, name := range readers[0].Inputs {
		if p.vector(name) && p.index.Weights[name].Dims[0] == int64(width) && len(p.index.Readers[name]) == 1 {
			return readers[0]
		}
	}
	return nil
}
