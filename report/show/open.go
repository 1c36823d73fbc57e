package show

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/load"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/graph"
	"graft/graph/raise"
	"graft/onnx"
	"graft/preprocess"
	"graft/pretrained"
	"graft/report/raster"
)

// network is a model as a graph for one image, and the image as the graph takes it.
type network struct {
	g       *graph.Graph
	kind    string // cnn, vit, head, backbone; onnx of a file
	input   *graph.Node
	view                                         // of the image
	see     func(preprocess.Image) (view, error) // what it is of another image
	end     *graph.Node                          // of what is looked into: the logits, or the deepest of a backbone's features
	logits  *graph.Node                          // [1,K]; nil of a model without classes
	labels  []string                             // nil: classes have numbers
	heat    float64                              // the temperature that probabilities divide the logits by
	head    *headPart                            // of a run on a backbone
	patches [2]int                               // rows and columns of a vit's patches, where its options say; else 0
	notes   []string
	close   func() error
}

// view is an image as a network takes it.
type view struct {
	views [][]float32   // of its input: the image; where the model averages it also the mirrored one
	shape []int         // of each
	part  raster.Window // of the image that the network sees, in its pixels
}

// headPart is a head on a backbone's features.
type headPart struct {
	net      nets.Net
	weights  map[string][]float32
	taps     []string
	dims     []int
	features *graph.Node // [1,D]
}

// open builds the graph of the model at path, a run's folder or an ONNX file.
func open(ctx context.Context, c Config, im preprocess.Image) (*network, error) {
	info, err := os.Stat(c.Model)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		f, err := pretrained.OpenFile(c.Model)
		if err != nil {
			return nil, err
		}
		return openFile(f, c, im)
	}
	r, err := run.Open(c.Model)
	if err != nil {
		return nil, err
	}
	if r.Config.OnBackbone() {
		return openHead(ctx, r, c, im)
	}
	return openNetwork(r, im)
}

// openNetwork is the run of a cnn or vit.
func openNetwork(r *run.Run, im preprocess.Image) (*network, error) {
	n, err := build(r.Config.Net, r.Weights)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", r.Dir, err)
	}
	n.see = func(im preprocess.Image) (view, error) { return ofNetwork(r, im) }
	n.labels, n.heat, n.notes = r.Config.Classes, r.Config.SoftmaxTemperature(), r.Config.Notes
	n.view, err = n.see(im)
	return n, err
}

// ofNetwork is an image as the run's network takes it.
func ofNetwork(r *run.Run, im preprocess.Image) (v view, err error) {
	p, shape := r.Config.Pixels, r.Config.Net.InputShape()
	pixels := fit.NewPixels(1, shape[0], p.Side, p.Kept(shape))
	if err := pixels.Set(0, load.FitImage(im, shape[0], p.Side)); err != nil {
		return v, err
	}
	plain, err := pixels.Plain(nil, shape[1], p.Mirror)
	if err != nil {
		return v, err
	}
	v.shape = append([]int{1}, shape...)
	for i := range plain.Views() {
		x := make([]float32, graph.Shape(shape).Size())
		if err := plain.View(x, i, []int{0}); err != nil {
			return v, err
		}
		v.views = append(v.views, x)
	}
	v.part = window(preprocess.Spec{Size: p.Side, Crop: 1, Host: true}, im)
	if p.Fit == run.FitCrop { // of an odd remainder the smaller half lies before the middle
		v.part = inner(v.part, p.Side, (p.Side-shape[1])/2, shape[1])
	}
	return v, nil
}

// inner is the square of side pixels from start on of a part that was resized to whole pixels a side.
func inner(part raster.Window, whole, start, side int) raster.Window {
	unit := part.W / float64(whole)
	return raster.Window{X: part.X + float64(start)*unit, Y: part.Y + float64(start)*unit, W: float64(side) * unit, H: float64(side) * unit}
}

// cropped is what the crop within an exported cnn or vit, which package ship names so, leaves of the part that its input shows.
func cropped(f *pretrained.File, m *onnx.Model, part raster.Window) raster.Window {
	x := onnx.NewIndex(m)
	n := x.Producers["cropped"]
	if f.Meta.Kind == "" || n == nil || n.Op != "Slice" || len(n.Inputs) < 3 {
		return part
	}
	from, err := x.Weights[n.Inputs[1]].Int64s()
	to, err2 := x.Weights[n.Inputs[2]].Int64s()
	if err != nil || err2 != nil || len(from) != 2 || len(to) != 2 {
		return part
	}
	return inner(part, f.Meta.Spec.Size, int(from[0]), int(to[0]-from[0]))
}

// build is the forward pass of a network on images with its weights.
func build(net nets.Net, weights map[string][]float32) (*network, error) {
	n := &network{g: graph.New(), kind: net.Kind(), heat: 1}
	n.input = n.g.Input("x", append([]int{1}, net.InputShape()...)...)
	w, err := nets.Declare(n.g, net, weights)
	if err != nil {
		return nil, err
	}
	n.logits = net.Forward(n.g, n.input, w, nets.Mode{})
	n.end = n.logits
	if v, ok := net.(nets.ViT); ok {
		n.patches = v.Grid()
	}
	return n, n.g.Err()
}

// openFile is an ONNX file: of any maker, or one that graft exported from a run or a checkpoint.
func openFile(f *pretrained.File, c Config, im preprocess.Image) (*network, error) {
	n := &network{g: graph.New(), kind: "onnx", heat: 1, labels: f.Meta.Labels, notes: f.Meta.Notes}
	if f.Meta.Temperature > 0 {
		n.heat = f.Meta.Temperature
	}
	m, err := onnx.Open(f.Path)
	if err != nil {
		return nil, err
	}
	n.close = m.Close
	if err := n.fromFile(f, m, c, im); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return n, nil
}

// fromFile builds the graph of a file's model.
func (n *network) fromFile(f *pretrained.File, m *onnx.Model, c Config, im preprocess.Image) error {
	foreign := c.Foreign
	if f.Meta.Foreign != nil {
		foreign = f.Meta.Foreign
	}
	var outputs []string
	if foreign != nil && foreign.Output != "" {
		outputs = []string{foreign.Output}
	}
	part, err := n.raise(f, m, foreign, im, outputs)
	if err != nil {
		return err
	}
	n.end = deepest(part.Outputs)
	n.logits = classes(m, part, n.labels != nil || c.Class != "")
	if n.logits != nil {
		n.end = n.logits
	}
	return nil
}

// raise puts the model's nodes into the graph, for the image as the model takes it.
func (n *network) raise(f *pretrained.File, m *onnx.Model, foreign *preprocess.Spec, im preprocess.Image, outputs []string) (*raise.Part, error) {
	n.see = func(im preprocess.Image) (view, error) {
		x, shape, spec, err := input(f, foreign, im)
		return view{[][]float32{x}, shape, cropped(f, m, window(spec, im))}, err
	}
	v, err := n.see(im)
	if err != nil {
		return nil, err
	}
	name := m.Inputs[0].Name
	part, err := raise.Nodes(n.g, m, raise.Options{Inputs: map[string][]int{name: v.shape}, Outputs: outputs, Trainable: func(string) bool { return false }})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	n.input, n.view = part.Inputs[name], v
	return part, nil
}

// input is what a file's model takes for an image, with its shape and what lies between the two.
func input(f *pretrained.File, foreign *preprocess.Spec, im preprocess.Image) ([]float32, []int, preprocess.Spec, error) {
	in := f.Header.Inputs
	if len(in) != 1 || len(in[0].Dims) != 4 {
		return nil, nil, preprocess.Spec{}, fmt.Errorf("%s: inputs %v, want one of images [N,C,H,W]", f.Path, in)
	}
	if f.Meta.Whole {
		return nil, nil, preprocess.Spec{}, fmt.Errorf("%s takes whole photographs, and what is drawn is of the network's own input; show the run, or a file of graft export without --whole-image", f.Path)
	}
	if in[0].Type != onnx.Uint8 {
		x, spec, err := f.ForeignInput(foreign, im)
		return x, []int{1, spec.Channels, spec.Size, spec.Size}, spec, err
	}
	spec := f.Meta.Spec
	switch {
	case foreign != nil:
		return nil, nil, spec, fmt.Errorf("%s: %w", f.Path, pretrained.ErrDescribed)
	case spec.Size == 0:
		return nil, nil, spec, fmt.Errorf("%s: no metadata graft.image_size, the side of the images", f.Path)
	case f.Meta.Kind != "": // a network's run
		spec.Host, spec.Crop = true, 1
		im = load.FitImage(im, int(in[0].Dims[1].Value), spec.Size)
	default:
		im = spec.Cut(im)
	}
	x := make([]float32, len(im.Pix))
	for i, v := range im.Pix {
		x[i] = float32(v)
	}
	return x, []int{1, im.C, im.H, im.W}, spec, nil
}

// window is the part of an image that reaches the network.
func window(s preprocess.Spec, im preprocess.Image) raster.Window {
	x, y, w, h := s.Part(im.H, im.W)
	return raster.Window{X: x, Y: y, W: w, H: h}
}

// deepest is the node that most is computed for.
func deepest(list []*graph.Node) (best *graph.Node) {
	most := 0
	for _, x := range list {
		if k := len(reach(x)); k > most {
			best, most = x, k
		}
	}
	return best
}

// reach are the nodes that one is computed from, itself included.
func reach(n *graph.Node) map[*graph.Node]bool {
	seen := map[*graph.Node]bool{}
	var visit func(*graph.Node)
	visit = func(n *graph.Node) {
		if !seen[n] {
			seen[n] = true
			for _, x := range n.Inputs() {
				visit(x)
			}
		}
	}
	visit(n)
	return seen
}

// classes finds a file's logits [1,K] among its outputs, before a softmax: those whose name says so, or, where there are
// sure to be some, the only output that can be.
func classes(m *onnx.Model, part *raise.Part, sure bool) *graph.Node {
	var found *graph.Node
	for i, x := range part.Outputs {
		if len(x.Shape()) != 2 || x.Dim(0) != 1 || x.Dim(1) < 2 {
			continue
		}
		name := ""
		if len(part.Outputs) == len(m.Outputs) {
			name = strings.ToLower(m.Outputs[i].Name)
		}
		switch {
		case name == model.OutLogits:
			return x
		case x.Op() == graph.OpSoftmax:
			return x.Inputs()[0]
		case strings.Contains(name, "logit"), strings.Contains(name, "class"), sure && len(part.Outputs) == 1:
			found = x
		}
	}
	return found
}
