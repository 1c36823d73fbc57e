package lower

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/graph"
	"graft/onnx/ort/orttest"
	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

// forward is a network's inference pass, as native wants it.
func forward(net nets.Net, weights map[string][]float32) func(g *graph.Graph, x *graph.Node) *graph.Node {
	return func(g *graph.Graph, x *graph.Node) *graph.Node {
		w, err := nets.Declare(g, net, weights)
		if err != nil {
			panic(err)
		}
		return net.Forward(g, x, w, nets.Mode{})
	}
}

// perturbed draws weights, and statistics that differ from 0 and 1.
func perturbed(net nets.Net) map[string][]float32 {
	weights := nets.Init(net, 11)
	r := rand.New(rand.NewPCG(12, 13))
	for _, w := range net.Weights() {
		if w.Role == nets.Statistic {
			for i := range weights[w.Name] {
				weights[w.Name][i] += 0.4 * r.Float32()
			}
		}
	}
	return weights
}

func bytes(n int) []uint8 {
	r := rand.New(rand.NewPCG(14, uint64(n)))
	p := make([]uint8, n)
	for i := range p {
		p[i] = uint8(r.IntN(256))
	}
	return p
}

// prepared is what training makes of pixels [n,c,h,w].
func prepared(pixels []uint8, n, c int, p Pixels, side int) []float32 {
	var out []float32
	plane := p.Height * p.Width
	for i := range n * c {
		src := make([]float32, plane)
		for j, v := range pixels[i*plane : (i+1)*plane] {
			src[j] = float32(v) / 255
		}
		dst := make([]float32, side*side)
		if p.Fit == FitResize {
			preprocess.ResizeAntialias(dst, src, 1, p.Height, p.Width, side, side)
		} else {
			top, left := (p.Height-side)/2, (p.Width-side)/2
			for y := range side {
				copy(dst[y*side:(y+1)*side], src[(top+y)*p.Width+left:])
			}
		}
		out = append(out, dst...)
	}
	return out
}

// TestClassifier compares ONNX Runtime with the engine from pixels to logits, for batches of several sizes.
func TestClassifier(t *testing.T) {
	orttest.Require(t)
	paper := nets.StrongViT(5)
	paper.Pool, paper.Depth, paper.Tied = nets.PoolClass, 2, true
	for name, c := range map[string]struct {
		net nets.Net
		p   Pixels
	}{
		"study cnn":  {nets.StudyCNN(7), Pixels{Height: 48, Width: 48, Fit: FitResize}},
		"study vit":  {nets.StudyViT(7), Pixels{Height: 50, Width: 47, Fit: FitResize}},
		"strong cnn": {nets.StrongCNN(7), Pixels{Height: 48, Width: 49, Fit: FitCrop}},
		"strong vit": {nets.StrongViT(7), Pixels{Height: 48, Width: 48}},
		"paper vit":  {paper, Pixels{Height: 30, Width: 40, Fit: FitResize}},
		"colour": {nets.CNN{Arch: nets.ArchResidual, Side: 16, Channels: 3, Outputs: 4, Stem: 4, Stages: []int{4, 8}, Blocks: 2, Squeeze: 2},
			Pixels{Height: 20, Width: 20, Fit: FitResize}},
	} {
		weights := perturbed(c.net)
		m, err := Classifier(c.net, weights, c.p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		shape := c.net.InputShape()
		for _, n := range []int{1, 3} {
			pixels := bytes(n * shape[0] * c.p.Height * c.p.Width)
			want := native(t, forward(c.net, weights), prepared(pixels, n, shape[0], c.p, shape[1]), n, shape...)
			near(t, name, runtime(t, m, pixels, n, n*c.net.Classes()), want, 1e-5)
		}
	}
}

// TestFixture compares ONNX Runtime with what PyTorch computed, on the graph alone.
func TestFixture(t *testing.T) {
	orttest.Require(t)
	for name, net := range map[string]nets.Net{"study_cnn": nets.StudyCNN(7), "study_vit": nets.StudyViT(7),
		"head": nets.Head{Features: 10, Outputs: 3, Hidden: 6, Standardize: true}} {
		f, err := checkpoint.Open(filepath.Join("..", "nets", "testdata", name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		get := func(name string) []float32 {
			v, err := f.Float32(name)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		weights := map[string][]float32{}
		for _, w := range net.Weights() {
			weights[w.Name] = get("weight." + w.Name)
		}
		m, err := single(forward(net, weights), net.InputShape()...)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, runtime(t, m, get("x"), 6, 6*net.Classes()), get("inference"), 1e-5)
	}
}

// TestMirror wants the mean of the logits over both sides.
func TestMirror(t *testing.T) {
	orttest.Require(t)
	net, p := nets.StudyCNN(7), Pixels{Height: 48, Width: 48, Fit: FitResize, Mirror: true}
	weights := nets.Init(net, 1)
	m, err := Classifier(net, weights, p)
	if err != nil {
		t.Fatal(err)
	}
	pixels := bytes(2 * 48 * 48)
	side := prepared(pixels, 2, 1, p, 32)
	want := native(t, forward(net, weights), side, 2, 1, 32, 32)
	mirrored := make([]float32, len(side))
	for i := range side {
		mirrored[i] = side[i/32*32+31-i%32]
	}
	for i, v := range native(t, forward(net, weights), mirrored, 2, 1, 32, 32) {
		want[i] = (want[i] + v) / 2
	}
	near(t, "mirrored", runtime(t, m, pixels, 2, 14), want, 1e-5)
}

// TestHead goes from features to logits, and wants probabilities that sum to 1.
func TestHead(t *testing.T) {
	orttest.Require(t)
	net := nets.Head{Features: 12, Outputs: 4, Hidden: 5, Standardize: true, Dropout: 0.5}
	weights := perturbed(net)
	m, err := Classifier(net, weights, Pixels{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Inputs[0].String(); got != "features float32 [N,12]" {
		t.Errorf("input %s", got)
	}
	x := random(3 * 12)
	near(t, "logits", runtime(t, m, x, 3, 12), native(t, forward(net, weights), x, 3, 12), 1e-5)
	m.Outputs = m.Outputs[1:]
	for i, p := 0, runtime(t, m, x, 3, 12); i < 3; i++ {
		near(t, "sum of probabilities", []float32{p[i*4] + p[i*4+1] + p[i*4+2] + p[i*4+3]}, []float32{1}, 1e-6)
	}
}

func TestClassifierRefuses(t *testing.T) {
	net := nets.StudyCNN(7)
	for want, p := range map[string]Pixels{
		"want 1 to 4096 a side":          {Height: 0, Width: 48, Fit: FitResize},
		`fit "", want resize or crop`:    {Height: 48, Width: 48},
		"smaller than the network":       {Height: 30, Width: 48, Fit: FitCrop},
		`fit "squash", want resize or c`: {Height: 48, Width: 32, Fit: "squash"},
	} {
		if _, err := Classifier(net, nets.Init(net, 1), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := Classifier(net, map[string][]float32{}, Pixels{Height: 32, Width: 32}); err == nil || !strings.Contains(err.Error(), `"conv1.weight" is missing`) {
		t.Errorf("error %v, want one that names the missing weight", err)
	}
}
