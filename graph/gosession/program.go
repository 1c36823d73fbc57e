package gosession

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/graph"
	"graft/graph/engine"
	"graft/onnx"
	"graft/onnx/session"
)

// spare is how many idle programs are kept beside one for each call at once: a dataset's images have few shapes, of which
// the last batch is another.
const spare = 3

// compiled is a program for inputs of one shape.
type compiled struct {
	shapes  string
	program *engine.Program
	inputs  []*graph.Node // in the order of the session's
	outputs []*graph.Node
	values  []onnx.Value // what the outputs are in the model
}

// take finds an idle program for the inputs' shapes, or makes one.
func (s *goSession) take(in []*session.Tensor) (*compiled, error) {
	shapes := ""
	for _, t := range in {
		shapes += fmt.Sprint(t.Shape)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errors.New("run: the session is closed")
	}
	if i := slices.IndexFunc(s.idle, func(p *compiled) bool { return p.shapes == shapes }); i >= 0 {
		p := s.idle[i]
		s.idle = slices.Delete(s.idle, i, i+1)
		s.mu.Unlock()
		return p, nil
	}
	s.mu.Unlock()
	p, err := s.compile(in)
	if err != nil {
		return nil, fmt.Errorf("run on %s: inputs of shapes %s: %w", session.Go, shapes, err)
	}
	p.shapes = shapes
	return p, nil
}

// keep puts a program back, and drops what was not used for longest.
func (s *goSession) keep(p *compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.idle = append(s.idle, p)
	if n := len(s.idle) - spare - s.Streams(); n > 0 {
		s.idle = slices.Delete(s.idle, 0, n)
	}
}

func (s *goSession) compile(in []*session.Tensor) (*compiled, error) {
	shapes := map[string][]int{}
	for _, t := range in {
		shape := make([]int, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = int(d)
		}
		shapes[t.Name] = shape
	}
	g, part, err := s.raise(shapes)
	if err != nil {
		return nil, err
	}
	p := &compiled{outputs: part.Outputs, values: s.outputs}
	for _, v := range s.inputs {
		p.inputs = append(p.inputs, part.Inputs[v.Name])
	}
	p.program, err = engine.Compile(g, part.Outputs, nil, engine.Options{Threads: s.threads, Weights: s.weights})
	return p, err
}

// run computes the wanted outputs; those that are nil are thrown away.
func (p *compiled) run(ctx context.Context, in, out []*session.Tensor) error {
	for i, t := range out {
		if t == nil {
			continue
		}
		if got := p.outputs[i].Shape(); !slices.EqualFunc(got, t.Shape, func(a int, b int64) bool { return int64(a) == b }) {
			return fmt.Errorf("run: output %q has shape %v for these inputs, got room for %v", t.Name, []int(got), t.Shape)
		}
	}
	for i, t := range in {
		if dst := p.program.Value(p.inputs[i]); dst != nil { // nil: no output needs it
			fill(dst, t.Data)
		}
	}
	if err := p.program.Run(ctx); err != nil {
		return err
	}
	for i, t := range out {
		if t != nil {
			read(t.Data, p.program.Value(p.outputs[i]))
		}
	}
	return nil
}
