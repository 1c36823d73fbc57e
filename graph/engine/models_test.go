package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"graft/graph"
)

// modelFixture is what PyTorch computed with a whole model.
type modelFixture struct {
	Parameters, Gradients map[string]numbers
	X, Logits             numbers
	Labels                []int
	Loss                  float64
	Losses                map[string][]float64 // ten steps, by optimiser
}

// model is a fixture's graph up to the loss.
type model struct {
	g                        *graph.Graph
	x, y, rate, logits, loss *graph.Node
	parameters               []*graph.Node
	f                        modelFixture
}

var forwards = map[string]func(g *graph.Graph, p func(string) *graph.Node, x *graph.Node) *graph.Node{
	"cnn": func(g *graph.Graph, p func(string) *graph.Node, x *graph.Node) *graph.Node {
		x = g.MaxPool(g.Relu(g.Conv(x, p("conv1.weight"), p("conv1.bias"), graph.ConvAttrs{})), graph.Pool2(2))
		x = g.MaxPool(g.Relu(g.Conv(x, p("conv2.weight"), p("conv2.bias"), graph.ConvAttrs{Pad: [2]int{1, 1}})), graph.Pool2(2))
		x = g.Relu(linear(g, p, g.Reshape(x, x.Dim(0), -1), "fc1"))
		return linear(g, p, x, "fc2")
	},
	"block": func(g *graph.Graph, p func(string) *graph.Node, x *graph.Node) *graph.Node {
		n, t, d := x.Dim(0), x.Dim(1), x.Dim(2)
		x = g.Add(x, p("position"))
		h := g.LayerNorm(x, p("norm1.weight"), p("norm1.bias"), 1e-5)
		heads := func(name string) *graph.Node {
			return g.Transpose(g.Reshape(g.MatMulT(h, p(name), false, true), n, t, 2, d/2), 0, 2, 1, 3)
		}
		mixed := g.Transpose(g.Attention(heads("q"), heads("k"), heads("v"), nil), 0, 2, 1, 3)
		x = g.Add(x, g.MatMulT(g.Reshape(mixed, n, t, d), p("out"), false, true))
		h = g.LayerNorm(x, p("norm2.weight"), p("norm2.bias"), 1e-5)
		x = g.Add(x, linear(g, p, g.Gelu(linear(g, p, h, "mlp1")), "mlp2"))
		return linear(g, p, g.Reshape(x, n, -1), "logits")
	},
}

func linear(g *graph.Graph, p func(string) *graph.Node, x *graph.Node, name string) *graph.Node {
	return g.Add(g.MatMulT(x, p(name+".weight"), false, true), p(name+".bias"))
}

var modelFixtures = sync.OnceValues(func() (all map[string]modelFixture, err error) {
	err = readJSON("testdata/models.json", &all)
	return all, err
})

func newModel(t testing.TB, name string) *model {
	t.Helper()
	all, err := modelFixtures()
	if err != nil {
		t.Fatal(err)
	}
	m := &model{g: graph.New(), f: all[name]}
	classes := m.f.Logits.Shape[1]
	m.x, m.y = m.g.Input("x", m.f.X.Shape...), m.g.Input("targets", len(m.f.Labels), classes)
	m.rate = m.g.Input("rate")
	m.logits = forwards[name](m.g, func(name string) *graph.Node {
		v := m.f.Parameters[name]
		if n := m.g.Lookup(name); n != nil {
			return n
		}
		return m.g.Parameter(name, v.float32s(), v.Shape...)
	}, m.x)
	m.loss = m.g.CrossEntropy(m.logits, m.y, graph.CrossEntropyOptions{})
	m.parameters = m.g.Parameters(false)
	return m
}

func (m *model) set(t testing.TB, p *Program, rate float32) {
	t.Helper()
	targets := make([]float32, m.y.Shape().Size())
	for i, label := range m.f.Labels {
		targets[i*m.y.Dim(1)+label] = 1
	}
	for n, v := range map[*graph.Node][]float32{m.x: m.f.X.float32s(), m.y: targets, m.rate: {rate}} {
		if err := p.Set(n, v); err != nil {
			t.Fatal(err)
		}
	}
}

// TestModels compares whole models with PyTorch: logits, loss and every gradient.
func TestModels(t *testing.T) {
	for name := range forwards {
		for _, threads := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s/threads%d", name, threads), func(t *testing.T) {
				m := newModel(t, name)
				gradients, err := graph.Gradient(m.loss, m.parameters)
				if err != nil {
					t.Fatal(err)
				}
				p, err := Compile(m.g, append([]*graph.Node{m.logits, m.loss}, gradients...), nil, Options{Threads: threads})
				if err != nil {
					t.Fatal(err)
				}
				m.set(t, p, 0)
				if err := p.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				close(t, "logits", widen(p.Value(m.logits)), m.f.Logits.Data, 1e-5)
				close(t, "loss", widen(p.Value(m.loss)), []float64{m.f.Loss}, 1e-6)
				if len(gradients) != len(m.f.Gradients) {
					t.Errorf("wanted %d gradients, got %d", len(m.f.Gradients), len(gradients))
				}
				for i, d := range gradients {
					close(t, m.parameters[i].Name(), widen(p.Value(d)), m.f.Gradients[m.parameters[i].Name()].Data, 1e-5)
				}
			})
		}
	}
}

var optimizers = map[string]struct {
	rate      float32
	optimizer graph.Optimizer
}{
	"adam":       {0.01, graph.Adam{}},
	"adam_decay": {0.01, graph.Adam{WeightDecay: 0.1}},
	"adamw":      {0.01, graph.Adam{WeightDecay: 0.1, Decoupled: true}},
	"sgd":        {0.05, graph.SGD{Momentum: 0.9, WeightDecay: 0.01}},
}

// training compiles a model with an optimiser.
func (m *model) training(t testing.TB, o graph.Optimizer, options Options) *Program {
	t.Helper()
	gradients, err := graph.Gradient(m.loss, m.parameters)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Apply(m.g, m.parameters, gradients, m.rate); err != nil {
		t.Fatal(err)
	}
	p, err := Compile(m.g, []*graph.Node{m.loss}, m.g.Updates(), options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTraining compares the losses of ten steps of every optimiser with PyTorch's.
func TestTraining(t *testing.T) {
	for name := range forwards {
		for key, o := range optimizers {
			t.Run(name+"/"+key, func(t *testing.T) {
				m := newModel(t, name)
				p := m.training(t, o.optimizer, Options{Threads: 2, CheckNaN: true})
				m.set(t, p, o.rate)
				var got []float64
				for range m.f.Losses[key] {
					if err := p.Run(context.Background()); err != nil {
						t.Fatal(err)
					}
					got = append(got, float64(p.Value(m.loss)[0]))
				}
				close(t, "losses", got, m.f.Losses[key], 2e-5)
			})
		}
	}
}

// TestWithoutKernels trains on the operations' rows alone: an operation needs no kernel to work.
func TestWithoutKernels(t *testing.T) {
	defer func(e map[graph.Op]elementKernel, l map[graph.Op]kernel) { elementKernels, kernels = e, l }(elementKernels, kernels)
	elementKernels, kernels = nil, nil
	for name := range forwards {
		m := newModel(t, name)
		p := m.training(t, optimizers["adam"].optimizer, Options{Threads: 2, CheckNaN: true})
		m.set(t, p, optimizers["adam"].rate)
		for _, want := range m.f.Losses["adam"][:3] {
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			close(t, name, widen(p.Value(m.loss)), []float64{want}, 2e-5)
		}
	}
	g := graph.New()
	table, rows := g.Input("table", 3, 2), g.Indices("rows", 2)
	p, err := Compile(g, []*graph.Node{g.Gather(table, rows)}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Set(rows, []float32{0, 3})
	if err := p.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "outside 0 to 2") {
		t.Errorf("index 3: got %v", err)
	}
}
