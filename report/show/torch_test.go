package show

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/lower"
	"graft/graph/raise"
	"graft/onnx"
	"graft/pretrained/checkpoint"
	"graft/report/raster"
)

// networks are those whose inner values scripts/fixtures_show.py wrote down; their weights lie in finetune/nets/testdata.
var networks = map[string]nets.Net{
	"study_cnn":    nets.StudyCNN(7),
	"study_vit":    nets.StudyViT(7),
	"residual_cnn": nets.CNN{Arch: nets.ArchResidual, Side: 17, Channels: 3, Outputs: 5, Stem: 4, Stages: []int{6, 8}, Blocks: 1},
	"paper_vit": nets.ViT{Side: 20, Channels: 3, Outputs: 5, Patch: 1, Width: 12, Depth: 2, Heads: 3, MLP: 20, Projection: true,
		Norm: nets.NormPre, Pool: nets.PoolClass, Init: nets.InitSane, Stem: []int{4, 6}},
}

func tensors(t *testing.T, folder, name string) map[string][]float32 {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join(folder, name+".safetensors"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]float32{}
	for _, n := range f.Names() {
		if out[n], err = f.Float32(n); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// fixture is a network's first image and weights.
func fixture(t *testing.T, name string) (x []float32, weights map[string][]float32) {
	t.Helper()
	weights = map[string][]float32{}
	all := tensors(t, "../../finetune/nets/testdata", name)
	for n, v := range all {
		if own, ok := strings.CutPrefix(n, "weight."); ok {
			weights[own] = v
		}
	}
	return all["x"][:graph.Shape(networks[name].InputShape()).Size()], weights
}

// looked runs a network twice: as package nets builds it, and as it is raised from the ONNX file that it is written as.
func looked(t *testing.T, name string, test func(t *testing.T, l *look, want map[string][]float32)) {
	x, weights := fixture(t, name)
	want := tensors(t, "testdata", name)
	for how, build := range map[string]func(nets.Net, map[string][]float32) (*network, error){"built": build, "raised": raised} {
		t.Run(name+", "+how, func(t *testing.T) {
			n, err := build(networks[name], weights)
			if err != nil {
				t.Fatal(err)
			}
			n.views, n.part = [][]float32{x}, raster.Window{W: 1, H: 1}
			l, err := n.run(t.Context(), "", 1)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "logits", l.scores, want["logits"])
			test(t, l, want)
		})
	}
}

// raised is a network as an ONNX model, and that as a graph again.
func raised(net nets.Net, weights map[string][]float32) (*network, error) {
	n, err := build(net, weights)
	if err != nil {
		return nil, err
	}
	m := &onnx.Model{Name: "net", Opset: lower.Opset, Metadata: map[string]string{}}
	b := onnx.NewBuilder(m)
	dims := []onnx.Dim{{Name: "N"}}
	for _, d := range net.InputShape() {
		dims = append(dims, onnx.Dim{Value: int64(d)})
	}
	names, err := lower.Nodes(b, []*graph.Node{n.logits}, lower.Options{Inputs: map[string]string{"x": b.Input("pixels", onnx.Float32, dims...)}})
	if err != nil {
		return nil, err
	}
	b.Output("logits", names[0], onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: int64(net.Classes())})
	out := &network{g: graph.New(), heat: 1, patches: n.patches}
	part, err := raise.Nodes(out.g, m, raise.Options{Inputs: map[string][]int{"pixels": n.input.Shape()}})
	if err != nil {
		return nil, err
	}
	out.input, out.logits = part.Inputs["pixels"], classes(m, part, false)
	out.end = out.logits
	return out, nil
}

func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d values, want %d and at least one", what, len(got), len(want))
		return
	}
	var worst, largest float64
	for i, w := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(w)))
		largest = max(largest, math.Abs(float64(w)))
		if got[i] != got[i] {
			worst = math.Inf(1)
		}
	}
	if !(worst <= 2e-5*largest) {
		t.Errorf("%s: off by %.3g, with values up to %.3g", what, worst, largest)
	}
}

func (l *look) cam() []float32 {
	return l.layer.evidence(l.anatomy, l.values[l.layer.node], l.values[l.layer.gradient]).V
}

// TestMapsAreTorchs: the study's maps after either convolution and pool, and the last ones' Grad-CAM by the package
// grad-cam.
func TestMapsAreTorchs(t *testing.T) {
	looked(t, "study_cnn", func(t *testing.T, l *look, want map[string][]float32) {
		var stages []string
		for i, s := range l.convolutions {
			stages = append(stages, s.what)
			v := want[[]string{"conv1", "pool1", "conv2", "pool2"}[i]]
			near(t, s.name, l.values[s.node][:len(v)], v)
		}
		if got := strings.Join(stages, ", "); got != "convolution, max pooling, convolution, max pooling" {
			t.Errorf("stages %s", got)
		}
		near(t, "evidence", l.cam(), want["evidence"])
	})
}

// TestEvidenceIsGradCAMs: behind residual sums, and of tokens.
func TestEvidenceIsGradCAMs(t *testing.T) {
	looked(t, "residual_cnn", func(t *testing.T, l *look, want map[string][]float32) { near(t, "evidence", l.cam(), want["evidence"]) })
	looked(t, "paper_vit", func(t *testing.T, l *look, want map[string][]float32) {
		near(t, "evidence", l.cam(), want["evidence"])
		if !l.layer.tokens {
			t.Error("the evidence is of maps, want tokens")
		}
	})
}

// TestTokensAreTorchs: the softmax of each head, the tokens after each block, the rollout.
func TestTokensAreTorchs(t *testing.T) {
	for name, prefix := range map[string]int{"study_vit": 0, "paper_vit": 1} {
		looked(t, name, func(t *testing.T, l *look, want map[string][]float32) {
			var attention, tokens []float32
			for i, n := range l.attention {
				attention = append(attention, l.values[n]...)
				tokens = append(tokens, l.values[l.exits[i]]...)
			}
			near(t, "attention", attention, want["attention"])
			near(t, "tokens", tokens, want["tokens"])
			near(t, "rollout", l.rollout(), want["rollout"])
			if l.prefix != prefix || l.grid[0]*l.grid[1]+prefix != l.tokens {
				t.Errorf("%d tokens, %d before %v patches", l.tokens, l.prefix, l.grid)
			}
			if want["embedding"] != nil {
				_, _, sum := l.embedding()
				near(t, "embedding", l.values[sum], want["embedding"])
			}
		})
	}
}
