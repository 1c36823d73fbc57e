package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
)

// benchmarked is a network in the making, with random weights.
type benchmarked struct {
	*graph.Graph
	random *rand.Rand
}

func (g benchmarked) weights(name string, scale float64, shape ...int) *graph.Node {
	v := make([]float32, graph.Shape(shape).Size())
	for i := range v {
		v[i] = float32(g.random.NormFloat64() * scale)
	}
	return g.Parameter(name, v, shape...)
}

func (g benchmarked) full(x *graph.Node, name string, in, out int) *graph.Node {
	w, b := g.weights(name+".weight", 0.05, out, in), g.weights(name+".bias", 0.05, out)
	return g.Add(g.MatMulT(x, w, false, true), b)
}

func (g benchmarked) conv(x *graph.Node, name string, in, out int) *graph.Node {
	w, b := g.weights(name+".weight", 0.1, out, in, 5, 5), g.weights(name+".bias", 0.1, out)
	return g.MaxPool(g.Relu(g.Conv(x, w, b, graph.ConvAttrs{})), graph.Pool2(2))
}

// cnnLogits is the study's network on 32×32 images.
func (g benchmarked) cnnLogits(x *graph.Node) *graph.Node {
	h := g.Reshape(g.conv(g.conv(x, "conv1", 1, 6), "conv2", 6, 16), x.Dim(0), 400)
	h = g.Relu(g.full(h, "fc1", 400, 120))
	h = g.Relu(g.full(h, "fc2", 120, 84))
	return g.full(h, "fc3", 84, 7)
}

// vitLogits is the study's shallow transformer: four patches, one block of four heads applied twice.
func (g benchmarked) vitLogits(x *graph.Node) *graph.Node {
	n := x.Dim(0)
	patches := g.Reshape(g.Transpose(g.Reshape(x, n, 2, 16, 2, 16), 0, 1, 3, 2, 4), n, 4, 256)
	h := g.Add(g.MatMul(patches, g.weights("C", 0.05, 256, 32)), g.weights("pe", 0.05, 4, 32))
	var qkv [3][]*graph.Node
	for i, name := range []string{"Q", "K", "V"} {
		for head := range 4 {
			qkv[i] = append(qkv[i], g.weights(fmt.Sprint(name, head), 0.1, 32, 8))
		}
	}
	scale, bias := g.weights("norm.weight", 0.1, 32), g.weights("norm.bias", 0.1, 32)
	for range 2 {
		var heads []*graph.Node
		for i := range 4 {
			heads = append(heads, g.Attention(g.MatMul(h, qkv[0][i]), g.MatMul(h, qkv[1][i]), g.MatMul(h, qkv[2][i]), nil))
		}
		h = g.LayerNorm(g.Relu(g.Add(h, g.Concat(-1, heads...))), scale, bias, 1e-5)
	}
	return g.full(g.Reshape(h, n, 128), "logits", 128, 7)
}

func studyCNN(t testing.TB, batch int, o Options) *Program {
	return trained(t, batch, o, benchmarked.cnnLogits)
}

// trained compiles a network with cross-entropy and Adam, and sets random images.
func trained(t testing.TB, batch int, o Options, logits func(benchmarked, *graph.Node) *graph.Node) *Program {
	t.Helper()
	g := benchmarked{graph.New(), rand.New(rand.NewPCG(7, 8))}
	x, y, rate := g.Input("x", batch, 1, 32, 32), g.Input("y", batch, 7), g.Input("rate")
	loss := g.CrossEntropy(logits(g, x), y, graph.CrossEntropyOptions{})
	gradients, err := graph.Gradient(loss, g.Parameters(false))
	if err != nil {
		t.Fatal(err)
	}
	if err := (graph.Adam{}).Apply(g.Graph, g.Parameters(false), gradients, rate); err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g.Graph, []*graph.Node{loss}, g.Updates(), o)
	if err != nil {
		t.Fatal(err)
	}
	fillRandom(t, p, x, y, rate)
	return p
}

func fillRandom(t testing.TB, p *Program, x, y, rate *graph.Node) {
	t.Helper()
	random := rand.New(rand.NewPCG(9, 10))
	pixels, labels := p.Value(x), p.Value(y)
	for i := range pixels {
		pixels[i] = random.Float32()
	}
	for i := 0; i < len(labels); i += y.Dim(1) {
		labels[i+random.IntN(y.Dim(1))] = 1
	}
	p.Value(rate)[0] = 1e-4
}

// The benchmarks are one training step of the study's models at batch 32.
func BenchmarkCNN(b *testing.B) { benchmarkSteps(b, benchmarked.cnnLogits) }
func BenchmarkViT(b *testing.B) { benchmarkSteps(b, benchmarked.vitLogits) }

func benchmarkSteps(b *testing.B, logits func(benchmarked, *graph.Node) *graph.Node) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads%d", threads), func(b *testing.B) {
			p := trained(b, 32, Options{Threads: threads, CheckNaN: true}, logits)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Run(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
