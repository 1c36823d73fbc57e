package nets

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/graph"
	"graft/graph/engine"
	"graft/pretrained/checkpoint"
)

// fixtures are the models that scripts/fixtures_nets.py wrote down, by the name of their file.
var fixtures = map[string]Net{
	"study_cnn":    StudyCNN(7),
	"study_vit":    StudyViT(7),
	"residual_cnn": CNN{Arch: ArchResidual, Side: 17, Channels: 3, Outputs: 5, Stem: 4, Stages: []int{6, 8}, Blocks: 1},
	"squeeze_cnn": CNN{Arch: ArchResidual, Side: 11, Channels: 3, Outputs: 5, Stem: 4, Stages: []int{6}, Blocks: 2,
		Squeeze: 2, Standardize: true},
	"paper_vit": ViT{Side: 20, Channels: 3, Outputs: 5, Patch: 1, Width: 12, Depth: 2, Heads: 3, MLP: 20, Projection: true,
		Norm: NormPre, Pool: PoolClass, Init: InitSane, Stem: []int{4, 6}},
	"post_vit": ViT{Side: 12, Channels: 1, Outputs: 3, Patch: 4, Width: 8, Depth: 3, Heads: 2, MLP: 12, Tied: true,
		Norm: NormPost, Pool: PoolMean, Init: InitSane},
	"head":    Head{Features: 10, Outputs: 3, Hidden: 6, Standardize: true},
	"members": Head{Features: 10, Outputs: 3, Hidden: 4, Members: 3},
}

// file reads a fixture's tensors by name.
type file struct {
	t testing.TB
	f *checkpoint.File
}

func openFixture(t testing.TB, name string) file {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join("testdata", name+".safetensors"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return file{t, f}
}

func (f file) get(name string) []float32 {
	f.t.Helper()
	v, err := f.f.Float32(name)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// group reads all tensors below a prefix.
func (f file) group(prefix string) map[string][]float32 {
	out := map[string][]float32{}
	for _, name := range f.f.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = f.get(name)
		}
	}
	return out
}

// near compares with a tolerance relative to the largest number wanted.
func near(t testing.TB, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d values, want %d and at least one", what, len(got), len(want))
		return
	}
	var worst, largest float64
	for i := range want {
		diff := math.Abs(float64(got[i]) - float64(want[i]))
		if !(diff <= worst) {
			worst = diff
		}
		largest = max(largest, math.Abs(float64(want[i])))
	}
	if !(worst <= tol*max(largest, 1e-3)) {
		t.Errorf("%s: off by %.3g, with values up to %.3g, tolerance %g", what, worst, largest, tol)
	}
}

// training is a fixture's model with a loss, on the fixture's batch.
type training struct {
	file
	g                     *graph.Graph
	x, targets, rate      *graph.Node
	logits, loss          *graph.Node
	parameters, gradients []*graph.Node
	classes               int
}

func newTraining(t testing.TB, name string, m Mode) *training {
	t.Helper()
	net, f := fixtures[name], openFixture(t, name)
	n := len(f.get("labels"))
	s := &training{file: f, g: graph.New(), classes: net.Classes()}
	s.x = s.g.Input("x", append([]int{n}, net.InputShape()...)...)
	s.targets, s.rate = s.g.Input("targets", n, net.Classes()), s.g.Input("rate")
	w, err := Declare(s.g, net, f.group("weight."))
	if err != nil {
		t.Fatal(err)
	}
	s.logits = net.Forward(s.g, s.x, w, m)
	s.loss = Loss(s.g, s.logits, s.targets, graph.CrossEntropyOptions{})
	s.parameters = s.g.Parameters(false)
	if s.gradients, err = graph.Gradient(s.loss, s.parameters); err != nil {
		t.Fatal(err)
	}
	return s
}

// compile makes a program and gives it the batch.
func (s *training) compile(outputs []*graph.Node, updates []graph.Update) *engine.Program {
	s.t.Helper()
	p, err := engine.Compile(s.g, outputs, updates, engine.Options{Threads: 2, CheckNaN: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.set(p, s.x, s.get("x"))
	return p
}

func (s *training) set(p *engine.Program, n *graph.Node, v []float32) {
	s.t.Helper()
	if err := p.Set(n, v); err != nil {
		s.t.Fatal(err)
	}
}

func (s *training) setTargets(p *engine.Program) {
	s.t.Helper()
	labels := s.get("labels")
	targets := make([]float32, len(labels)*s.classes)
	for i, l := range labels {
		targets[i*s.classes+int(l)] = 1
	}
	s.set(p, s.targets, targets)
}

func run(t testing.TB, p *engine.Program) {
	t.Helper()
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestTorch compares every model with PyTorch: inference logits, training logits, loss and every gradient.
func TestTorch(t *testing.T) {
	for name, net := range fixtures {
		t.Run(name, func(t *testing.T) {
			if err := net.Check(); err != nil {
				t.Fatal(err)
			}
			inference := newTraining(t, name, Mode{})
			p := inference.compile([]*graph.Node{inference.logits}, nil)
			run(t, p)
			near(t, "inference logits", p.Value(inference.logits), inference.get("inference"), 1e-5)

			s := newTraining(t, name, Mode{Train: true})
			p = s.compile(append([]*graph.Node{s.logits, s.loss}, s.gradients...), nil)
			s.setTargets(p)
			run(t, p)
			near(t, "logits", p.Value(s.logits), s.get("logits"), 1e-5)
			near(t, "loss", p.Value(s.loss), s.get("losses")[:1], 1e-5)
			want := s.group("grad.")
			if len(want) != len(s.gradients) {
				t.Errorf("%d gradients, PyTorch has %d", len(s.gradients), len(want))
			}
			for i, d := range s.gradients {
				near(t, "gradient of "+s.parameters[i].Name(), p.Value(d), want[s.parameters[i].Name()], 2e-5)
			}
		})
	}
}

// TestTorchTraining compares ten Adam steps: their losses, the running statistics and the trained model's logits.
func TestTorchTraining(t *testing.T) {
	for name, net := range fixtures {
		t.Run(name, func(t *testing.T) {
			s := newTraining(t, name, Mode{Train: true})
			if err := (graph.Adam{}).Apply(s.g, s.parameters, s.gradients, s.rate); err != nil {
				t.Fatal(err)
			}
			p := s.compile([]*graph.Node{s.loss}, s.g.Updates())
			s.setTargets(p)
			s.set(p, s.rate, []float32{1e-3})
			var losses []float32
			for range s.get("losses") {
				run(t, p)
				losses = append(losses, p.Value(s.loss)[0])
			}
			near(t, "losses", losses, s.get("losses"), 5e-5)
			for name, want := range s.group("after.") {
				if name != "inference" {
					near(t, name, p.Parameter(name), want, 1e-4)
				}
			}
			s.checkTrained(t, net, p)
		})
	}
}

// checkTrained gives the trained weights to an inference program.
func (s *training) checkTrained(t *testing.T, net Net, trained *engine.Program) {
	g := graph.New()
	x := g.Input("x", s.x.Shape()...)
	w, err := Declare(g, net, nil)
	if err != nil {
		t.Fatal(err)
	}
	logits := net.Forward(g, x, w, Mode{})
	p, err := engine.Compile(g, []*graph.Node{logits}, nil, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Parameters(true) {
		s.set(p, n, trained.Parameter(n.Name()))
	}
	s.set(p, x, s.get("x"))
	run(t, p)
	near(t, "logits after training", p.Value(logits), s.get("after.inference"), 5e-4)
}

// TestAttention is the study's own appendix test: attention equals PyTorch's scaled_dot_product_attention.
func TestAttention(t *testing.T) {
	f := openFixture(t, "attention")
	for _, name := range []string{"study", "heads"} {
		g := graph.New()
		var in [3]*graph.Node
		for i, part := range []string{"q", "k", "v"} {
			info, _ := f.f.Info(name + "." + part)
			in[i] = g.Input(part, info.Shape...)
		}
		out := g.Attention(in[0], in[1], in[2], nil)
		p, err := engine.Compile(g, []*graph.Node{out}, nil, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range []string{"q", "k", "v"} {
			if err := p.Set(in[i], f.get(name+"."+part)); err != nil {
				t.Fatal(err)
			}
		}
		run(t, p)
		near(t, fmt.Sprintf("attention, case %s", name), p.Value(out), f.get(name+".out"), 1e-6)
	}
}
