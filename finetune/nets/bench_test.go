package nets

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
	"graft/graph/engine"
)

// BenchmarkStep is one training step with AdamW at batch 64; "epoch-s" is what an epoch over FER2013's 28,709 training
// faces takes at that speed.
func BenchmarkStep(b *testing.B) {
	const batch, faces = 64, 28709
	for _, c := range []struct {
		name string
		net  Net
	}{{"study-cnn", StudyCNN(7)}, {"study-vit", StudyViT(7)}, {"strong-cnn", StrongCNN(7)}, {"strong-vit", StrongViT(7)}} {
		b.Run(fmt.Sprintf("%s/threads2", c.name), func(b *testing.B) {
			p := benchProgram(b, c.net, batch, 2)
			b.ReportAllocs()
			for b.Loop() {
				run(b, p)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*faces/batch, "epoch-s")
		})
	}
}

func benchProgram(b *testing.B, net Net, batch, threads int) *engine.Program {
	b.Helper()
	g := graph.New()
	x, y := g.Input("x", append([]int{batch}, net.InputShape()...)...), g.Input("y", batch, net.Classes())
	step, rate := g.Input("step"), g.Input("rate")
	w, err := Declare(g, net, Init(net, 1))
	if err != nil {
		b.Fatal(err)
	}
	loss := g.CrossEntropy(net.Forward(g, x, w, Mode{Train: true, Step: step}), y, graph.CrossEntropyOptions{})
	parameters := g.Parameters(false)
	gradients, err := graph.Gradient(loss, parameters)
	if err != nil {
		b.Fatal(err)
	}
	if err := (graph.Adam{WeightDecay: 0.05, Decoupled: true}).Apply(g, parameters, gradients, rate); err != nil {
		b.Fatal(err)
	}
	p, err := engine.Compile(g, []*graph.Node{loss}, g.Updates(), engine.Options{Threads: threads})
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pixels, targets := p.Value(x), p.Value(y)
	for i := range pixels {
		pixels[i] = random.Float32()
	}
	for i := range batch {
		targets[i*net.Classes()+random.IntN(net.Classes())] = 1
	}
	p.Value(rate)[0] = 1e-4
	return p
}
