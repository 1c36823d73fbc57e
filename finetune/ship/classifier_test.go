package ship

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/graph/lower"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

// logits is what the engine makes of x, which is prepared.
func logits(t *testing.T, net nets.Net, weights map[string][]float32, x []float32) []float32 {
	t.Helper()
	e, err := fit.NewEvaluator(net, 4, 1)
	if err == nil {
		err = e.Use(weights)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Logits(context.Background(), examples{x, net.InputShape()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// examples are tensors as they are.
type examples struct {
	x     []float32
	shape []int
}

func (s examples) size() int    { return s.shape[0] * s.shape[1] * s.shape[2] }
func (s examples) Len() int     { return len(s.x) / s.size() }
func (s examples) Shape() []int { return s.shape }
func (s examples) Views() int   { return 1 }
func (s examples) View(x []float32, _ int, rows []int) error {
	for i, r := range rows {
		copy(x[i*s.size():(i+1)*s.size()], s.x[r*s.size():])
	}
	return nil
}

// runtime computes a model's first output of n examples with ONNX Runtime; shape is an example's.
func runtime(t *testing.T, m *onnx.Model, x any, n, outputs int, shape ...int) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	s, err := orttest.Open(path, session.Options{Provider: session.CPU, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dims := []int64{int64(n)}
	for _, d := range shape {
		dims = append(dims, int64(d))
	}
	result := make([]float32, n*outputs)
	err = s.Run(context.Background(), []session.Tensor{{Name: s.Inputs()[0].Name, Shape: dims, Data: x}},
		[]session.Tensor{{Name: s.Outputs()[0].Name, Shape: []int64{int64(n), int64(outputs)}, Data: result}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// near compares with a tolerance relative to the largest number wanted, at least 1.
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d values, want %d and at least one", what, len(got), len(want))
	}
	largest := 1.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= tol*largest) {
			t.Errorf("%s: element %d is %v, want %v, with values up to %.3g", what, i, got[i], want[i], largest)
			return
		}
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

func randomBytes(n int) []uint8 {
	r := rand.New(rand.NewPCG(14, uint64(n)))
	p := make([]uint8, n)
	for i := range p {
		p[i] = uint8(r.IntN(256))
	}
	return p
}

// prepared is what training makes of pixels [n,c,side,side].
func prepared(pixels []uint8, planes int, p run.PixelsRecord, side int) []float32 {
	var out []float32
	size := p.Side * p.Side
	for i := range planes {
		src := make([]float32, size)
		for j, v := range pixels[i*size : (i+1)*size] {
			src[j] = float32(v) / 255
		}
		dst := make([]float32, side*side)
		if p.Fit == run.FitResize {
			preprocess.ResizeAntialias(dst, src, 1, p.Side, p.Side, side, side)
		} else {
			margin := (p.Side - side) / 2
			for y := range side {
				copy(dst[y*side:(y+1)*side], src[(margin+y)*p.Side+margin:])
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
		p   run.PixelsRecord
	}{
		"study cnn":  {nets.StudyCNN(7), run.PixelsRecord{Side: 48, Fit: run.FitResize}},
		"study vit":  {nets.StudyViT(7), run.PixelsRecord{Side: 50, Fit: run.FitResize}},
		"strong cnn": {nets.StrongCNN(7), run.PixelsRecord{Side: 48, Fit: run.FitCrop}},
		"strong vit": {nets.StrongViT(7), run.PixelsRecord{Side: 48}},
		"paper vit":  {paper, run.PixelsRecord{Side: 30, Fit: run.FitResize}},
		"colour": {nets.CNN{Arch: nets.ArchResidual, Side: 16, Channels: 3, Outputs: 4, Stem: 4, Stages: []int{4, 8}, Blocks: 2, Squeeze: 2},
			run.PixelsRecord{Side: 20, Fit: run.FitResize}},
	} {
		weights := perturbed(c.net)
		m, err := classifier(c.net, weights, c.p, 1, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		shape := c.net.InputShape()
		for _, n := range []int{1, 3} {
			pixels := randomBytes(n * shape[0] * c.p.Side * c.p.Side)
			want := logits(t, c.net, weights, prepared(pixels, n*shape[0], c.p, shape[1]))
			near(t, name, runtime(t, m, pixels, n, c.net.Classes(), shape[0], c.p.Side, c.p.Side), want, 1e-5)
		}
	}
}

// TestFixture compares ONNX Runtime with what PyTorch computed, on the graph alone.
func TestFixture(t *testing.T) {
	orttest.Require(t)
	for name, net := range map[string]nets.Net{"study_cnn": nets.StudyCNN(7), "study_vit": nets.StudyViT(7),
		"head": nets.Head{Features: 10, Outputs: 3, Hidden: 6, Standardize: true}} {
		f, err := checkpoint.Open(filepath.Join("..", "nets", "testdata", name+".safetensors"), "")
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
		m := &onnx.Model{Name: name, Opset: lower.Opset}
		b, dims := onnx.NewBuilder(m), []onnx.Dim{{Name: "N"}}
		for _, d := range net.InputShape() {
			dims = append(dims, onnx.Dim{Value: int64(d)})
		}
		out, err := addNet(b, net, weights, b.Input("x", onnx.Float32, dims...))
		if err != nil {
			t.Fatal(err)
		}
		b.Output("logits", out, onnx.Float32, dims[0], onnx.Dim{Value: int64(net.Classes())})
		near(t, name, runtime(t, m, get("x"), 6, net.Classes(), net.InputShape()...), get("inference"), 1e-5)
	}
}

// TestMirror wants the mean of the logits over both sides.
func TestMirror(t *testing.T) {
	orttest.Require(t)
	net, p := nets.StudyCNN(7), run.PixelsRecord{Side: 48, Fit: run.FitResize, Mirror: true}
	weights := nets.Init(net, 1)
	m, err := classifier(net, weights, p, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	pixels := randomBytes(2 * 48 * 48)
	side := prepared(pixels, 2, p, 32)
	want := logits(t, net, weights, side)
	mirrored := make([]float32, len(side))
	for i := range side {
		mirrored[i] = side[i/32*32+31-i%32]
	}
	for i, v := range logits(t, net, weights, mirrored) {
		want[i] = (want[i] + v) / 2
	}
	near(t, "mirrored", runtime(t, m, pixels, 2, 7, 1, 48, 48), want, 1e-5)
}

func TestClassifierRefuses(t *testing.T) {
	net := nets.StudyCNN(7)
	for want, p := range map[string]run.PixelsRecord{
		"want 1 to 4096":           {Side: 0, Fit: run.FitResize},
		"smaller than the network": {Side: 30, Fit: run.FitCrop},
	} {
		if _, err := classifier(net, nets.Init(net, 1), p, 1, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if _, err := classifier(net, map[string][]float32{}, run.PixelsRecord{Side: 32}, 1, false); err == nil || !strings.Contains(err.Error(), `"conv1.weight" is missing`) {
		t.Errorf("error %v, want one that names the missing weight", err)
	}
}
