package fit

import (
	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/engine"
)

// Memory is how many bytes a training takes at its peak, near enough, beside its data and the first weights: a step's values,
// weights, gradients and the optimiser's state, batches in the making, and with validation the network that judges.
func Memory(net nets.Net, c Config, validates bool) (int64, error) {
	start := map[string][]float32{}
	for _, w := range net.Weights() {
		start[w.Name] = make([]float32, graph.Shape(w.Shape).Size())
	}
	t := &trainer{job: Job{Net: net, Config: c}, g: graph.New(), start: start}
	if err := t.build(); err != nil {
		return 0, err
	}
	sum, err := engine.Memory(t.g, []*graph.Node{t.loss}, t.g.Updates(), engine.Options{Threads: c.Threads})
	if err != nil {
		return 0, err
	}
	example := 4 * int64(graph.Shape(net.InputShape()).Size()+net.Classes())
	sum += buffers * int64(c.Batch) * example
	if !validates {
		return sum, nil
	}
	g, logits, err := inference(net, evaluationBatch)
	if err != nil {
		return 0, err
	}
	judging, err := engine.Memory(g, []*graph.Node{logits}, nil, engine.Options{Threads: c.Threads})
	return sum + judging + evaluationBatch*example, err
}
