package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/finetune/nets"
	"graft/onnx"
	"graft/pretrained/blocks"
)

// tailPlan says which part of a network is trained.
type tailPlan struct {
	model *onnx.Model
	cuts  []blocks.Cut // in order; none where the network's blocks are not known
	cut   string       // the tensor where the part begins
	from  int          // the cut's number among cuts, -1 where it is none of them
	taps  []nets.TailTap
	index onnx.Index

	behind map[string]bool // the tensors that depend on the cut
	first  map[string]bool // weights that are no part of what was learned
}

// tailOf finds what learns behind a cut: the weights that the taps there are made of, and how many blocks from the end each
// lies. Taps that the part before the cut gives are marked as frozen.
func tailOf(m *onnx.Model, cuts []blocks.Cut, cut string, shape []int, taps []nets.TailTap, how Tuning) (t nets.Tail, err error) {
	p := tailPlan{model: m, cuts: cuts, cut: cut, taps: slices.Clone(taps), index: onnx.NewIndex(m)}
	p.from = slices.IndexFunc(cuts, func(c blocks.Cut) bool { return c.Tensor == cut })
	p.behind, p.first = p.dependents()
	var ends []string
	for i, tap := range p.taps {
		p.taps[i].Frozen = !p.behind[tap.Output]
		if p.behind[tap.Output] {
			ends = append(ends, tap.Output)
		}
	}
	if ends == nil {
		return t, errors.New("no tap lies behind the cut, and nothing there would learn: give --taps that do, or unfreeze more blocks")
	}
	t = nets.Tail{LayerDecay: how.LayerDecay, Cut: cut, Shape: shape, Taps: p.taps, Residuals: p.residuals(how.DropPath), Backbone: m}
	for _, w := range p.between(ends, cut) {
		if w.Type == onnx.Int8 || w.Type == onnx.Uint8 {
			return t, notFloat32(w)
		}
	}
	weights := p.weights(ends, cut)
	if err := p.choose(&t, how, weights); err != nil {
		return t, err
	}
	if how.NormStats {
		if t.Running, err = p.running(weights); err != nil {
			return t, err
		}
	}
	if t.Learned == nil && t.Adapters == nil {
		return t, fmt.Errorf("nothing of what is to be trained lies between %q and the taps %s", cut, strings.Join(ends, ", "))
	}
	return t, nil
}

// choose lists what learns among the weights of the part.
func (p tailPlan) choose(t *nets.Tail, how Tuning, weights []string) error {
	depths := p.depths()
	if how.Lora > 0 || how.Only == OnlyScale {
		for _, l := range p.linears(weights) {
			a := nets.Adapter{Kind: nets.AdapterScale, Linear: l}
			if how.Lora > 0 {
				a = nets.Adapter{Kind: nets.AdapterLoRA, Linear: l, Rank: min(how.Lora, l.Shape[0], l.Shape[1])}
			}
			a.Depth = depths[l.Weight]
			t.Adapters = append(t.Adapters, a)
		}
		return nil
	}
	part := p.only(how.Only)
	for _, name := range weights {
		w := p.index.Weights[name]
		if p.first[name] || part != nil && !part[name] {
			continue
		}
		if w.Type != onnx.Float32 {
			return notFloat32(w)
		}
		t.Learned = append(t.Learned, nets.Learned{Name: name, Shape: sizes(w.Dims), Depth: depths[name]})
	}
	return nil
}

func notFloat32(w onnx.Tensor) error {
	return fmt.Errorf("weight %q is %v: only float32 can be trained; name the backbone's float32 file too (--tail)", w.Name, w.Type)
}

func sizes(dims []int64) (shape []int) {
	for _, d := range dims {
		shape = append(shape, int(d))
	}
	return shape
}

// dependents tells which tensors depend on the cut, and which weights are no part of what was learned: the constants of the
// preprocessing, with which pixels are combined before the first product, and running statistics.
func (p tailPlan) dependents() (behind, first map[string]bool) {
	behind, first = map[string]bool{p.cut: true}, map[string]bool{}
	deep := map[string]bool{p.cut: p.index.Producers[p.cut] != nil} // behind a product
	for _, n := range p.model.Nodes {
		fed, product := false, n.Op == "MatMul" || n.Op == "Gemm" || n.Op == "Conv"
		for name := range n.Reads() {
			fed, product = fed || behind[name], product || deep[name]
		}
		if n.Op == "BatchNormalization" && len(n.Inputs) == 5 {
			first[n.Inputs[3]], first[n.Inputs[4]] = true, true
		}
		if !fed {
			continue
		}
		for _, o := range n.Outputs {
			behind[o], deep[o] = true, product
		}
		for name := range n.Reads() {
			if _, ok := p.index.Weights[name]; ok && !product {
				first[name] = true
			}
		}
	}
	return behind, first
}

// weights names the weights of more than one number between a tensor and others, in the model's order.
func (p tailPlan) weights(ends []string, begin string) (out []string) {
	for _, w := range p.between(ends, begin) {
		if fractional(w.Type) {
			out = append(out, w.Name)
		}
	}
	return out
}

// between are the initialisers of more than one number that the part between a tensor and others reads, in the model's
// order.
func (p tailPlan) between(ends []string, begin string) (out []onnx.Tensor) {
	needed := map[string]bool{}
	for _, e := range ends {
		needed[e] = e != begin
	}
	for _, n := range slices.Backward(p.model.Nodes) {
		if !slices.ContainsFunc(n.Outputs, func(o string) bool { return needed[o] }) {
			continue
		}
		for name := range n.Reads() {
			needed[name] = name != begin
		}
	}
	for _, w := range p.model.Initializers {
		if elements, err := onnx.Elements(w.Dims); err == nil && elements > 1 && needed[w.Name] {
			out = append(out, w)
		}
	}
	return out
}

func fractional(t onnx.DType) bool {
	return t == onnx.Float32 || t == onnx.Float16 || t == onnx.Float64
}

// depths numbers the weights' blocks from the end: 1 in the last, 0 behind it, one more than there are blocks before the
// first.
func (p tailPlan) depths() map[string]int {
	out := map[string]int{}
	last := len(p.cuts) - 1
	for i := last; i >= 0 && i > p.from; i-- {
		begin := p.cut
		if i > 0 && i-1 >= p.from {
			begin = p.cuts[i-1].Tensor
		}
		for _, name := range p.weights([]string{p.cuts[i].Tensor}, begin) {
			out[name] = last - i + 1
		}
	}
	return out
}

// residuals are the branches of the blocks behind the cut, which are left out the more often the deeper they lie: at a rate
// that grows evenly from 0 before the first block to drop in the last one.
func (p tailPlan) residuals(drop float64) (out []nets.Residual) {
	for i, c := range p.cuts {
		if i <= p.from || drop == 0 {
			continue
		}
		for _, r := range c.Residuals {
			out = append(out, nets.Residual{Tensor: r, Drop: drop * float64(i) / float64(len(p.cuts)-1)})
		}
	}
	return out
}
