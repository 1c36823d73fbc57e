package nets

import (
	"fmt"
	"math/rand/v2"

	"graft/graph"
	"graft/onnx"
)

// The kinds of adapters.
const (
	AdapterLoRA  = "lora"  // Hu et al. 2021: W + (α/r)·A·B in the place of W, with α = r; B starts from zeros
	AdapterScale = "scale" // Lian et al. 2022, SSF: γ·y + β in the place of a linear layer's y; they start as ones and zeros
)

// Adapter is what learns beside one linear layer, whose own weights stand still. It folds into them: see [Adapter.Fold].
type Adapter struct {
	Kind string `json:"kind"`
	Linear
	Rank int `json:"rank,omitempty"` // of LoRA
}

// Linear is a linear layer of an ONNX graph.
type Linear struct {
	Product string `json:"product"`        // what the MatMul or Gemm gives
	Output  string `json:"output"`         // what the layer gives: its bias is added
	Weight  string `json:"weight"`         // [in,out], or turned round [out,in]
	Bias    string `json:"bias,omitempty"` // [out]
	Shape   []int  `json:"shape"`          // of the weight
	Turned  bool   `json:"turned,omitempty"`
	Depth   int    `json:"depth"`
}

// Width is how many values the layer gives.
func (l Linear) Width() int {
	if l.Turned {
		return l.Shape[0]
	}
	return l.Shape[1]
}

// names are the adapter's two tensors'.
func (a Adapter) names() (first, second string) {
	if a.Kind == AdapterLoRA {
		return a.Weight + ".lora_a", a.Weight + ".lora_b"
	}
	return a.Output + ".scale", a.Output + ".shift"
}

func (a Adapter) check() error {
	switch {
	case len(a.Shape) != 2 || !positive(a.Shape) || a.Depth < 0 || a.Weight == "" || a.Output == "":
		return fmt.Errorf("backbone: adapter of weight %q %v behind %q, want a matrix", a.Weight, a.Shape, a.Output)
	case a.Kind == AdapterScale && a.Rank == 0, a.Kind == AdapterLoRA && a.Rank > 0 && a.Rank <= min(a.Shape[0], a.Shape[1]):
		return nil
	}
	return fmt.Errorf("backbone: adapter %q of rank %d for weight %q %v, want %s, or %s of rank 1 to the weight's smaller side",
		a.Kind, a.Rank, a.Weight, a.Shape, AdapterScale, AdapterLoRA)
}

// weights lists what is learned. A vector does not decay, and neither do LoRA's matrices need to: they are small.
func (a Adapter) weights(rate float64) []Weight {
	first, second := a.names()
	if a.Kind == AdapterLoRA {
		return []Weight{{Name: first, Shape: []int{a.Shape[0], a.Rank}, Rate: rate, draw: torchUniform(a.Shape[0])},
			{Name: second, Shape: []int{a.Rank, a.Shape[1]}, Rate: rate, draw: all(0)}}
	}
	return []Weight{{Name: first, Shape: []int{a.Width()}, Rate: rate, draw: all(1)}, {Name: second, Shape: []int{a.Width()}, Rate: rate, draw: all(0)}}
}

// start draws the first values.
func (a Adapter) start(seed uint64, into map[string][]float32) {
	for _, w := range a.weights(1) {
		v := make([]float32, w.Size())
		w.draw(rand.New(rand.NewPCG(seed, nameHash(w.Name))), v)
		into[w.Name] = v
	}
}

// wrap is what stands for a tensor of the network where the adapter has to do with it, else x.
func (a Adapter) wrap(g *graph.Graph, name string, x *graph.Node, w Lookup) *graph.Node {
	first, second := a.names()
	switch {
	case a.Kind == AdapterLoRA && name == a.Weight:
		return g.Add(x, g.MatMul(w(first), w(second)))
	case a.Kind == AdapterScale && name == a.Output:
		return g.Add(g.Mul(x, w(first)), w(second))
	}
	return x
}

// Fold puts the adapter's values into the weights of m, so that the network computes the same without it. A shift where no
// bias was becomes one Add.
func (a Adapter) Fold(m *onnx.Model, values map[string][]float32) error {
	weight, err := initialiser(m, a.Weight, a.Shape)
	if err != nil {
		return err
	}
	v, err := weight.Float32s()
	if err != nil {
		return err
	}
	first, second := a.names()
	if a.Kind == AdapterLoRA {
		fold(v, values[first], values[second], a.Shape[0], a.Rank, a.Shape[1])
		weight.Data = onnx.Float32s(v)
		return nil
	}
	scale, shift := values[first], values[second]
	for i := range v {
		column := i % a.Shape[1]
		if a.Turned {
			column = i / a.Shape[1]
		}
		v[i] *= scale[column]
	}
	weight.Data = onnx.Float32s(v)
	if a.Bias == "" {
		addShift(m, a.Output, shift)
		return nil
	}
	bias, err := initialiser(m, a.Bias, []int{len(shift)})
	if err != nil {
		return err
	}
	b, err := bias.Float32s()
	if err != nil {
		return err
	}
	for i := range b {
		b[i] = b[i]*scale[i] + shift[i]
	}
	bias.Data = onnx.Float32s(b)
	return nil
}

// fold adds A·B, of [n,r] and [r,m], to v, summed in float64.
func fold(v, a, b []float32, n, r, m int) {
	for i := range n {
		for j := range m {
			var sum float64
			for k := range r {
				sum += float64(a[i*r+k]) * float64(b[k*m+j])
			}
			v[i*m+j] += float32(sum)
		}
	}
}

// initialiser finds a float32 weight of a shape.
func initialiser(m *onnx.Model, name string, shape []int) (*onnx.Tensor, error) {
	for i := range m.Initializers {
		t := &m.Initializers[i]
		if t.Name != name {
			continue
		}
		for k, d := range t.Dims {
			if len(t.Dims) != len(shape) || d != int64(shape[k]) {
				return nil, fmt.Errorf("weight %q of the backbone is %v, want %v", name, t.Dims, shape)
			}
		}
		if t.Type != onnx.Float32 {
			return nil, fmt.Errorf("weight %q of the backbone is %v, want float32", name, t.Type)
		}
		return t, nil
	}
	return nil, fmt.Errorf("the backbone has no weight %q", name)
}

// addShift has all that read a tensor read it with a vector added.
func addShift(m *onnx.Model, tensor string, shift []float32) {
	b := onnx.NewBuilder(m)
	vector := b.Float32s(tensor+".shift", shift, int64(len(shift)))
	old := m.Nodes
	m.Nodes = nil
	for i, n := range old {
		m.Nodes = append(m.Nodes, n)
		if len(n.Outputs) != 1 || n.Outputs[0] != tensor {
			continue
		}
		// The node gives its value under another name, and the sum takes the tensor's: outputs of the model keep theirs.
		bare := b.Unique(tensor + ".unshifted")
		m.Nodes[i].Outputs = []string{bare}
		m.Nodes = append(m.Nodes, onnx.Node{Op: "Add", Name: b.Unique(tensor + ".shifted"), Inputs: []string{bare, vector}, Outputs: []string{tensor}})
		m.Nodes = append(m.Nodes, old[i+1:]...)
		return
	}
}
