package fit

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/engine"
	"graft/onnx"
	"graft/pretrained/checkpoint"
	"graft/pretrained/vit"
)

// torchTail is what scripts/fixtures_tune.py wrote down, by graft's names and layouts.
type torchTail struct {
	t    *testing.T
	file *checkpoint.File
	net  nets.Tail
}

func newTorchTail(t *testing.T) torchTail {
	t.Helper()
	path := filepath.Join(t.TempDir(), "timm.onnx")
	o := vit.ConvertOptions{Weights: "../../pretrained/vit/testdata/timm.safetensors", Heads: 4, Out: path}
	if _, err := vit.Convert(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	f, err := checkpoint.Open("testdata/tail.safetensors", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	net := nets.Tail{Cut: "blocks.0.residual", Shape: []int{17, 32}, LayerDecay: 0.7, Backbone: m, Head: nets.Head{Features: 128, Outputs: 5}}
	for _, name := range []string{"cls_1", "mean_2", "cls", "mean"} {
		net.Taps = append(net.Taps, nets.TailTap{Name: name, Output: name, Dim: 32, Frozen: name == "cls_1"})
	}
	for _, w := range m.Initializers {
		block, ok := strings.CutPrefix(w.Name, "blocks.")
		depth := 0
		if ok {
			depth = 3 - int(block[0]-'0')
		}
		if (ok && depth < 3) || strings.HasPrefix(w.Name, "norm.") {
			shape := make([]int, len(w.Dims))
			for i, d := range w.Dims {
				shape[i] = int(d)
			}
			net.Learned = append(net.Learned, nets.Learned{Name: w.Name, Shape: shape, Depth: depth})
		}
	}
	return torchTail{t, f, net}
}

// get reads what belongs to a weight, PyTorch's matrices [out,in] turned into ONNX's [in,out].
func (s torchTail) get(prefix string, w nets.Weight) []float32 {
	s.t.Helper()
	name := strings.NewReplacer(nets.HeadPrefix, "", ".qkv.", ".attn.qkv.", ".proj.", ".attn.proj.", ".fc1.", ".mlp.fc1.", ".fc2.", ".mlp.fc2.").Replace(w.Name)
	v := s.read(prefix + name)
	if len(w.Shape) == 2 && !strings.HasPrefix(w.Name, nets.HeadPrefix) {
		turned := make([]float32, len(v))
		for i := range w.Shape[0] {
			for j := range w.Shape[1] {
				turned[i*w.Shape[1]+j] = v[j*w.Shape[0]+i]
			}
		}
		v = turned
	}
	return v
}

func (s torchTail) read(name string) []float32 {
	s.t.Helper()
	v, err := s.file.Float32(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// features puts each image's tokens and its frozen tap, the first token, into a row.
func (s torchTail) features() Features {
	tokens := s.read("tokens")
	f := Features{Dim: 17*32 + 32}
	for from := 0; from < len(tokens); from += 17 * 32 {
		f.X = slices.Concat(f.X, tokens[from:from+17*32], tokens[from:from+32])
	}
	return f
}

func (s torchTail) start() map[string][]float32 {
	s.t.Helper()
	start, err := s.net.Start(map[string][]float32{"head.weight": s.read("head.weight"), "head.bias": s.read("head.bias")}, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return start
}

func (s torchTail) labels() (labels []int) {
	for _, l := range s.read("labels") {
		labels = append(labels, int(l))
	}
	return labels
}

func (s torchTail) near(what string, got, want []float32, tol float64) {
	s.t.Helper()
	var off, size float64
	for i := range want {
		off, size = max(off, math.Abs(float64(got[i]-want[i]))), max(size, math.Abs(float64(want[i])))
	}
	if !(off <= tol*size) || len(got) != len(want) || size == 0 {
		s.t.Errorf("%s: off by %.3g, with values up to %.3g, tolerance %g", what, off, size, tol)
	}
}

// TestTailGradients compares logits, loss and every gradient of the last two blocks with PyTorch's, by name.
func TestTailGradients(t *testing.T) {
	s := newTorchTail(t)
	if err := s.net.Check(); err != nil {
		t.Fatal(err)
	}
	g, f := graph.New(), s.features()
	x, targets := g.Input("x", 6, f.Dim), g.Input("targets", 6, 5)
	w, err := nets.Declare(g, s.net, s.start())
	if err != nil {
		t.Fatal(err)
	}
	logits := s.net.Forward(g, x, w, nets.Mode{Train: true})
	loss := nets.Loss(g, logits, targets, graph.CrossEntropyOptions{Smoothing: 0.1})
	parameters := g.Parameters(false)
	gradients, err := graph.Gradient(loss, parameters)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(g, append([]*graph.Node{logits, loss}, gradients...), nil, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	copy(p.Value(x), f.X)
	copy(p.Value(targets), OneHot(s.labels(), 5))
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.near("logits", p.Value(logits), s.read("logits"), 1e-5)
	s.near("loss", p.Value(loss), s.read("losses")[:1], 1e-5)
	if len(parameters) != len(s.net.Weights()) || len(parameters) != 2*12+2+2 {
		t.Fatalf("%d parameters learn, want the 28 of two blocks, a norm and a head", len(parameters))
	}
	for i, w := range s.net.Weights() {
		if parameters[i].Name() != w.Name {
			t.Fatalf("parameter %s, want %s", parameters[i].Name(), w.Name)
		}
		s.near("gradient of "+w.Name, p.Value(gradients[i]), s.get("gradient.", w), 2e-5)
	}
}

// TestTailSteps compares ten steps of AdamW, whose rate falls from layer to layer, with PyTorch's: losses and weights.
func TestTailSteps(t *testing.T) {
	s := newTorchTail(t)
	f, start := s.features(), s.start()
	data, err := NewFeatures(f, []int{0, 1, 2, 3, 4, 5}, OneHot(s.labels(), 5), 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string][]float32{}
	for name, v := range start {
		before[name] = slices.Clone(v)
	}
	r, err := Train(t.Context(), Job{Net: s.net, Start: start, Train: data, Config: Config{Epochs: 10, Batch: 6, Optimizer: AdamW, LearningRate: 1e-3,
		WeightDecay: 0.05, Schedule: Constant, Smoothing: 0.1, Seed: 1, Threads: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var losses []float32
	for _, e := range r.History {
		losses = append(losses, float32(e.TrainLoss))
	}
	s.near("losses", losses, s.read("losses"), 2e-5)
	for _, w := range s.net.Weights() {
		moved, want := slices.Clone(r.Weights[w.Name]), s.get("moved.", w)
		for i := range moved {
			moved[i] -= before[w.Name][i]
			if strings.HasSuffix(w.Name, "qkv.bias") && i/32 == 1 { // the keys' gradient is 0, and rounding is all that Adam sees
				moved[i], want[i] = 0, 0
			}
		}
		s.near("way of "+w.Name, moved, want, 5e-3)
	}
}

// TestAccumulate wants the mean gradient of two batches to make the step of one that is twice as large; an epoch's last step
// has what is left.
func TestAccumulate(t *testing.T) {
	f := Features{Dim: 3}
	var labels []int
	for i := range 20 { // five batches of four, or two of eight and one of four
		f.X = append(f.X, float32(i%7)-3, float32(i%5)-2, float32(i%3)-1)
		labels = append(labels, i%4%3)
	}
	train := func(batch, accumulate int) *Result {
		data, err := NewFeatures(f, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, OneHot(labels, 3), 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Train(t.Context(), Job{Net: nets.Head{Features: 3, Outputs: 3, Hidden: 5}, Train: data, Config: Config{Epochs: 3, Batch: batch, Accumulate: accumulate,
			Optimizer: AdamW, LearningRate: 1e-2, WeightDecay: 0.1, Schedule: Constant, Clip: 0.3, EMA: 0.9, Seed: 1, Threads: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want, got := train(8, 0), train(4, 2)
	for name, v := range want.Weights {
		for i := range v {
			if !(math.Abs(float64(got.Weights[name][i]-v[i])) < 1e-5) {
				t.Fatalf("%s: %v, in one batch %v", name, got.Weights[name], v)
			}
		}
	}
}
