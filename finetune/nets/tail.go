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
	Learned   []Learned  `json:"learned,omitempty"`
	Adapters  []Adapter  `json:"adapters,omitempty"`
	Running   []Running  `json:"running,omitempty"`
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
	Pool   string `json:"pool,omitempty"`   // of an output of several rows: cls takes the first, mean their mean
	Frozen bool   `json:"frozen,omitempty"` // given by the part before the cut
}

// Learned is a weight of the network that learns.
type Learned struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Depth int    `json:"depth"` // in blocks from the end: 1 in the last block, 0 behind it
}

// Running are a batch normalisation's running statistics, which training moves by those of its batches. Of all others they
// stand still, and normalise in training too.
type Running struct {
	Mean     string `json:"mean"`
	Variance string `json:"variance"`
	Channels int    `json:"channels"`
}

func (r Running) weights() []Weight {
	shape := []int{r.Channels}
	return []Weight{{Name: r.Mean, Shape: shape, Role: Statistic, draw: all(0)}, {Name: r.Variance, Shape: shape, Role: Statistic, draw: all(1)}}
}

// Residual is a branch that is added to the stream: with probability Drop the whole of it is left out of an image's way
// (stochastic depth, Huang et al. 2016).
type Residual struct {
	Tensor string  `json:"tensor"`
	Drop   float64 `json:"drop"`
}

// HeadPrefix stands before the names of the head's weights, as before no other network's.
const HeadPrefix = "graft."

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
		list = append(list, Weight{Name: w.Name, Shape: w.Shape, Rate: t.rate(w.Depth), draw: all(0)})
	}
	for _, a := range t.Adapters {
		list = append(list, a.weights(t.rate(a.Depth))...)
	}
	for _, r := range t.Running {
		list = append(list, r.weights()...)
	}
	for _, w := range t.Head.Weights() {
		w.Name = HeadPrefix + w.Name
		list = append(list, w)
	}
	return list
}

func (t Tail) rate(depth int) float64 { return math.Pow(cmp.Or(t.LayerDecay, 1), float64(depth)) }

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

// Start are the first weights: the network's own, those of adapters as drawn by a seed, and the head's, by its own names.
func (t Tail) Start(head map[string][]float32, seed uint64) (map[string][]float32, error) {
	out, index := map[string][]float32{}, onnx.NewIndex(t.Backbone)
	for _, w := range t.own() {
		v, err := index.Weights[w.Name].Float32s()
		if err != nil {
			return nil, fmt.Errorf("weight %q: %w", w.Name, err)
		}
		out[w.Name] = v
	}
	for _, a := range t.Adapters {
		a.start(seed, out)
	}
	for name, v := range head {
		out[HeadPrefix+name] = v
	}
	return out, nil
}

// own are the network's tensors that training changes.
func (t Tail) own() []Learned {
	list := slices.Clone(t.Learned)
	for _, r := range t.Running {
		for _, w := range r.weights() {
			list = append(list, Learned{Name: w.Name, Shape: w.Shape})
		}
	}
	return list
}

// Check tells what is wrong with the options; with a backbone also what does not fit it.
func (t Tail) Check() error {
	names, dims := map[string]bool{}, 0
	for _, tap := range t.Taps {
		dims += tap.Dim
	}
	for _, w := range t.own() {
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
	for _, a := range t.Adapters {
		if err := a.check(); err != nil {
			return err
		}
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
	features := t.Features(g, x, w, m)
	return t.Head.Forward(g, features, func(name string) *graph.Node { return w(HeadPrefix + name) }, m)
}

// Features builds the taps side by side, [N,F], from x [N,S+F].
func (t Tail) Features(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	n, size := x.Dim(0), t.size()
	at := g.Reshape(g.Slice(x, 1, 0, size), append([]int{n}, t.Shape...)...)
	o := raise.Options{Given: map[string]*graph.Node{t.Cut: at}, Trainable: func(string) bool { return false }}
	fixed := t.fixedBatch()
	if fixed > 0 {
		o.Exported, o.Batch = fixed, n
	}
	o.Running = func(mean string) bool {
		return m.Train && slices.ContainsFunc(t.Running, func(r Running) bool { return r.Mean == mean })
	}
	p := pass{g, w, m}
	o.Wrap = func(name string, x *graph.Node) *graph.Node {
		return p.dropPath(t.Residuals, name, p.adapted(t.Adapters, name, x))
	}
	for _, tap := range t.Taps {
		if !tap.Frozen && !slices.Contains(o.Outputs, tap.Output) {
			o.Outputs = append(o.Outputs, tap.Output)
		}
	}
	part, err := raise.Nodes(g, t.Backbone, o)
	if err != nil && fixed > 0 && fixed != n {
		err = fmt.Errorf("%w; the file was exported for batches of %d, and %d are wanted at once: export it with a free batch (torch.onnx.export's dynamic_shapes or dynamic_axes)", err, fixed, n)
	}
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
		features = append(features, pooled(g, part.Outputs[slices.Index(o.Outputs, tap.Output)], tap.Pool))
	}
	all := g.Concat(1, features...)
	if g.Err() == nil && !all.Shape().Equal(graph.Shape{n, t.Head.Features}) {
		g.Fail(fmt.Errorf("backbone: the taps have shape %v, want %v", all.Shape(), []int{n, t.Head.Features}))
	}
	return all
}

// fixedBatch is the number of images that the backbone's file is fixed to, 0 where that is free.
func (t Tail) fixedBatch() int {
	if len(t.Backbone.Inputs) != 1 || len(t.Backbone.Inputs[0].Dims) == 0 || t.Backbone.Inputs[0].Dims[0].Name != "" {
		return 0
	}
	return int(max(0, t.Backbone.Inputs[0].Dims[0].Value))
}

// TailFeatures is a tail without its head, which gives its taps side by side.
type TailFeatures struct{ Tail }

// Classes is the number of features.
func (t TailFeatures) Classes() int { return t.Head.Features }

// Weights lists the network's that learn.
func (t TailFeatures) Weights() []Weight {
	return slices.DeleteFunc(t.Tail.Weights(), func(w Weight) bool { return strings.HasPrefix(w.Name, HeadPrefix) })
}

// Forward builds the taps.
func (t TailFeatures) Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	return t.Features(g, x, w, m)
}

// pooled makes [N,D] of tokens [N,T,D] or places [N,D,H,W].
func pooled(g *graph.Graph, x *graph.Node, how string) *graph.Node {
	switch {
	case how == "cls" && len(x.Shape()) == 3:
		return g.Reshape(g.Slice(x, 1, 0, 1), x.Dim(0), x.Dim(2))
	case how == "mean" && len(x.Shape()) == 3:
		return g.Mean(x, 1)
	case how == "mean":
		return g.Mean(x, 2, 3)
	}
	return x
}

// adapted is what stands for a tensor where adapters have to do with it.
func (p pass) adapted(list []Adapter, name string, x *graph.Node) *graph.Node {
	for _, a := range list {
		x = a.wrap(p.Graph, name, x, p.w)
	}
	return x
}

// dropPath leaves out branches, each image's by itself, and divides those that stay by the share that does.
func (p pass) dropPath(list []Residual, name string, x *graph.Node) *graph.Node {
	i := slices.IndexFunc(list, func(r Residual) bool { return r.Tensor == name })
	if i < 0 || list[i].Drop == 0 || !p.mode.Train {
		return x
	}
	shape := slices.Repeat([]int{1}, len(x.Shape()))
	shape[0] = x.Dim(0)
	keep := p.Constant(slices.Repeat([]float64{1}, shape[0]), shape...)
	return p.Mul(x, p.dropout(name, keep, list[i].Drop))
}

// Fold gives a model of the backbone the weights that were learned, adapters folded in: names, shapes and types stay, and
// what was not learned stays as it lies in the file.
func (t Tail) Fold(m *onnx.Model, weights map[string][]float32) error {
	for _, w := range t.own() {
		had, err := initialiser(m, w.Name, w.Shape)
		if err != nil {
			return err
		}
		had.Data = onnx.Float32s(weights[w.Name])
	}
	for _, a := range t.Adapters {
		if err := a.Fold(m, weights); err != nil {
			return err
		}
	}
	return nil
}
