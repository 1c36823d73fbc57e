package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"graft/graph"
)

// BenchmarkConv runs layers of ResNet-50, MobileNet, ResNeXt and ViT by themselves, on one core.
func BenchmarkConv(b *testing.B) {
	for _, l := range []struct {
		name         string
		channels, in int
		outputs      int
		kernel       int
		attrs        graph.ConvAttrs
	}{
		{"3x3x64@56", 64, 56, 64, 3, graph.ConvAttrs{Pad: [2]int{1, 1}}},
		{"3x3x256@14", 256, 14, 256, 3, graph.ConvAttrs{Pad: [2]int{1, 1}}},
		{"7x7@224", 3, 224, 64, 7, graph.ConvAttrs{Pad: [2]int{3, 3}, Stride: [2]int{2, 2}}},
		{"1x1x64to256@56", 64, 56, 256, 1, graph.ConvAttrs{}},
		{"1x1x256to512@56s2", 256, 56, 512, 1, graph.ConvAttrs{Stride: [2]int{2, 2}}},
		{"depthwise@56x128", 128, 56, 128, 3, graph.ConvAttrs{Pad: [2]int{1, 1}, Groups: 128}},
		{"depthwise@56x128s2", 128, 56, 128, 3, graph.ConvAttrs{Pad: [2]int{1, 1}, Stride: [2]int{2, 2}, Groups: 128}},
		{"groups32@56x128", 128, 56, 128, 3, graph.ConvAttrs{Pad: [2]int{1, 1}, Groups: 32}},
		{"patches16@224", 3, 224, 192, 16, graph.ConvAttrs{Stride: [2]int{16, 16}}},
	} {
		for _, batch := range []int{1, 4, 32} {
			b.Run(fmt.Sprintf("%s/batch%d", l.name, batch), func(b *testing.B) {
				g := benchmarked{graph.New(), rand.New(rand.NewPCG(1, 1))}
				x := g.Input("x", batch, l.channels, l.in, l.in)
				y := g.Conv(x, g.weights("w", 0.1, l.outputs, l.channels/max(1, l.attrs.Groups), l.kernel, l.kernel), g.weights("b", 0.1, l.outputs), l.attrs)
				p, err := Compile(g.Graph, []*graph.Node{y}, nil, Options{Threads: 1})
				if err != nil {
					b.Fatal(err)
				}
				for i, v := range p.Value(x) {
					p.Value(x)[i] = v + float32(i%7) - 3
				}
				for b.Loop() {
					if err := p.Run(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(graph.MACs(y))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
