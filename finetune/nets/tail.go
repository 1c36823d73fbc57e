package nets

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
)

// KindBackbone is of the last layers of a pretrained network, with a head behind them: a [Tail].
const KindBackbone = "backbone"

// Tail is the part of a pretrained network behind one of its tensors, and a head on what is taken from it there and on what
// the frozen part before has given. One example is [S+F]: the S values of the tensor, then the F frozen features.
//
// Weights bear the names, shapes and layouts that they have in the network's ONNX file; the head's stand behind HeadPrefix.
type Tail struct {
	Cut       string     `json:"cut"`   // the tensor where the part begins
	Shape     []int      `json:"shape"` // of it for one image, such as [T,D]
	Taps      []TailTap  `json:"taps"`  // the head's features, side by side
	Learned   []Learned  `json:"learned"`
	Residuals []Residual `json:"residuals,omitempty"`
	// LayerDecay d has a weight learn at d^depth times the rate.
	LayerDecay float64 `json:"layer_decay"`
	Head       Head    `json:"head"`

	// Backbone is the network, open: what the forward pass is built from, and the weights that do not learn.
	Backbone *onnx.Model `json:"-"`
}

// TailTap is one kind of feature that the head reads.
type TailTap struct {
	Name   string `json:"name"`
	Output string `json:"output"` // of the network
	Dim    int    `json:"dim"`
	Frozen bool   `json:"frozen,omitempty"` // given by the part before the cut
}

// Learned is a weight of the network that learns.
type Learned struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Depth int    `json:"depth"` // in blocks from the end: 1 in the last block, 0 behind it
}

// Residual is a branch that is added to the stream: with probability Drop the whole of it is left out of an image's way
// (stochastic depth, Huang et al. 2016).
type Residual struct {
	Tensor string  `json:"tensor"`
	Drop   float64 `json:"drop"`
}

// HeadPrefix stands before the names of the head's weights.
const HeadPrefix = "classifier."

// Kind is "backbone".
func (t Tail) Kind() string { return KindBackbone }

// InputShape is [S+F].
func (t Tail) InputShape() []int { return []int{t.size() + t.frozen()} }

func (t Tail) size() int { return graph.Shape(t.Shape).Size() }

func (t Tail) frozen() (sum int) {
	for _, tap := range t.Taps {
		if tap.Frozen {
			sum += tap.Dim
		}
	}
	return sum
}

// Classes is the number of logits.
func (t Tail) Classes() int { return t.Head.Outputs }

// Weights lists the network's that learn, and the head's.
func (t Tail) Weights() []Weight {
	var list []Weight
	for _, w := range t.Learned {
		list = append(list, Weight{Name: w.Name, Shape: w.Shape, Rate: math.Pow(cmp.Or(t.LayerDecay, 1), float64(w.Depth)), draw: all(0)})
	}
	for _, w := range t.Head.Weights() {
		w.Name = HeadPrefix + w.Name
		list = append(list, w)
	}
	return list
}

// HeadWeights are those of the head, by its own names.
func (t Tail) HeadWeights(weights map[string][]float32) map[string][]float32 {
	out := map[string][]float32{}
	for name, v := range weights {
		if own, ok := strings.CutPrefix(name, HeadPrefix); ok {
			out[own] = v
		}
	}
	return out
}

// Start are the first weights: the network's own, and the head's, by its own names.
func (t Tail) Start(head map[string][]float32) (map[string][]float32, error) {
	out, index := map[string][]float32{}, onnx.NewIndex(t.Backbone)
	for _, w := range t.Learned {
		v, err := index.Weights[w.Name].Float32s()
		if err != nil {
			return nil, fmt.Errorf("weight %q: %w", w.Name, err)
		}
		out[w.Name] = v
	}
	for name, v := range head {
		out[HeadPrefix+name] = v
	}
	return out, nil
}

// Check tells what is wrong with the options; with a backbone also what does not fit it.
func (t Tail) Check() error {
	names, dims := map[string]bool{}, 0
	for _, tap := range t.Taps {
		dims += tap.Dim
	}
	for _, w := range t.Learned {
		if names[w.Name] || w.Name == "" || strings.HasPrefix(w.Name, HeadPrefix) || w.Depth < 0 || !positive(w.Shape) {
			return fmt.Errorf("backbone: weight %q %v of depth %d: want names of their own, sizes above 0 and depths of 0 or more", w.Name, w.Shape, w.Depth)
		}
		names[w.Name] = true
	}
	switch {
	case t.Cut == "" || !positive(t.Shape):
		return fmt.Errorf("backbone: the cut %q has shape %v, want a name and sizes above 0", t.Cut, t.Shape)
	case dims != t.Head.Features:
		return fmt.Errorf("backbone: taps of %d features together, the head wants %d", dims, t.Head.Features)
	case !slices.ContainsFunc(t.Taps, func(tap TailTap) bool { return !tap.Frozen }):
		return errors.New("backbone: none of the taps lies behind the cut, and nothing there would learn")
	case !(t.LayerDecay >= 0 && t.LayerDecay <= 1):
		return fmt.Errorf("backbone: layer decay %g, want above 0 and at most 1", t.LayerDecay)
	}
	for _, r := range t.Residuals {
		if err := checkDropout(KindBackbone, "drop path of "+r.Tensor, r.Drop); err != nil {
			return err
		}
	}
	if err := t.Head.Check(); err != nil || t.Backbone == nil {
		return err
	}
	return checkBuilds(t)
}

func positive(shape []int) bool {
	return len(shape) > 0 && !slices.ContainsFunc(shape, func(d int) bool { return d < 1 || d > maxClasses })
}

// Forward builds logits [N,K] from x [N,S+F]. What does not learn becomes state.
func (t Tail) Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	n, size := x.Dim(0), t.size()
	at := g.Reshape(g.Slice(x, 1, 0, size), append([]int{n}, t.Shape...)...)
	o := raise.Options{Given: map[string]*graph.Node{t.Cut: at}, Trainable: func(string) bool { return false }}
	if m.Train {
		o.Wrap = pass{g, w, m}.dropPath(t.Residuals)
	}
	for _, tap := range t.Taps {
		if !tap.Frozen && !slices.Contains(o.Outputs, tap.Output) {
			o.Outputs = append(o.Outputs, tap.Output)
		}
	}
	part, err := raise.Nodes(g, t.Backbone, o)
	if err != nil {
		g.Fail(err)
		return nil
	}
	var features []*graph.Node
	for _, tap := range t.Taps {
		if tap.Frozen {
			features = append(features, g.Slice(x, 1, size, size+tap.Dim))
			size += tap.Dim
			continue
		}
		features = append(features, part.Outputs[slices.Index(o.Outputs, tap.Output)])
	}
	all := g.Concat(1, features...)
	if g.Err() == nil && !all.Shape().Equal(graph.Shape{n, t.Head.Features}) {
		g.Fail(fmt.Errorf("backbone: the taps have shape %v, want %v", all.Shape(), []int{n, t.Head.Features}))
	}
	return t.Head.Forward(g, all, func(name string) *graph.Node { return w(HeadPrefix + name) }, m)
}

// dropPath leaves out branches, each image's by itself, and divides those that stay by the share that does.
func (p pass) dropPath(list []Residual) func(string, *graph.Node) *graph.Node {
	rates := map[string]float64{}
	for _, r := range list {
		rates[r.Tensor] = r.Drop
	}
	return func(name string, x *graph.Node) *graph.Node {
		if rates[name] == 0 {
			return x
		}
		shape := slices.Repeat([]int{1}, len(x.Shape()))
		shape[0] = x.Dim(0)
		keep := p.Constant(slices.Repeat([]float64{1}, shape[0]), shape...)
		return p.Mul(x, p.dropout(name, keep, rates[name]))
	}
}
