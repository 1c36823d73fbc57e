// Package gosession runs an ONNX model in Go alone: it makes a session (package graft/onnx/session) of a model that package
// raise understands, without a native library. It is the provider go.
//
// A program has static shapes, so one is compiled for each shape of the inputs that is met, batch included, and a few of
// them are kept. They share the model's weights.
package gosession

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"graft/graph"
	"graft/graph/engine"
	"graft/graph/raise"
	"graft/onnx"
	"graft/onnx/session"
)

// Version is of what computes here. It is raised whenever features may come out in other bits, and is what
// session.Session.RuntimeVersion tells.
const Version = "1"

// goSession is a session of graft's own engine.
type goSession struct {
	model                *onnx.Model
	inputs, outputs, all []onnx.Value
	weights              *engine.Weights // of all programs
	threads              int             // of a program
	turns                chan struct{}   // one for each call that may run

	mu     sync.Mutex
	idle   []*compiled // those that were used last come last
	closed bool
}

// Open makes a session of a model that onnx.Open read and that may have been changed since. Its weights are read when they
// are first needed: the model stays open until the session is closed. What cannot be raised is an error that names the
// operator.
func Open(m *onnx.Model, o session.Options) (session.Session, error) {
	o, err := o.Check()
	if err != nil {
		return nil, err
	}
	if o.Provider != session.Go {
		return nil, fmt.Errorf("provider %s: this engine is provider %s", o.Provider, session.Go)
	}
	s := &goSession{model: m, inputs: m.Inputs, all: m.Outputs, threads: o.Threads, weights: engine.NewWeights()}
	if s.outputs, err = session.SelectOutputs(s.all, o.Outputs); err != nil {
		return nil, err
	}
	if len(s.inputs) == 0 || len(s.outputs) == 0 {
		return nil, fmt.Errorf("the model has %d inputs and %d outputs, want at least one of each", len(s.inputs), len(s.outputs))
	}
	if s.threads == 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	streams := 1
	if o.Throughput {
		streams, s.threads = s.threads, 1
	}
	s.turns = make(chan struct{}, streams)
	if err := s.try(); err != nil {
		return nil, fmt.Errorf("provider %s: %w", session.Go, err)
	}
	return s, nil
}

// try raises the model for the shapes that it states, so that an operator that is not known is told before anything runs.
// Sizes that it leaves open are guessed, and with a guess that does not fit the model nothing can be told.
func (s *goSession) try() error {
	shapes, guessed := map[string][]int{}, false
	for _, v := range s.inputs {
		shape := make([]int, len(v.Dims))
		for i, d := range v.Dims {
			shape[i] = int(d.Value)
			if d.Name != "" || d.Value < 1 {
				shape[i] = guess(i)
				guessed = guessed || i > 0
			}
		}
		shapes[v.Name] = shape
	}
	_, _, err := s.raise(shapes)
	if guessed && !errors.As(err, new(*raise.UnknownError)) {
		return nil
	}
	return err
}

// guess is a size of images [N,C,H,W] that most networks take.
func guess(axis int) int { return [...]int{1, 3, 224, 224}[min(axis, 3)] }

// raise builds the graph of the wanted outputs for inputs of static shapes.
func (s *goSession) raise(shapes map[string][]int) (*graph.Graph, *raise.Part, error) {
	g := graph.New()
	part, err := raise.Nodes(g, s.model, raise.Options{Inputs: shapes, Outputs: session.Names(s.outputs)})
	return g, part, err
}

func (s *goSession) Inputs() []onnx.Value       { return slices.Clone(s.inputs) }
func (s *goSession) Outputs() []onnx.Value      { return slices.Clone(s.all) }
func (s *goSession) Provider() session.Provider { return session.Go }
func (s *goSession) RuntimeVersion() string     { return Version }
func (s *goSession) Streams() int               { return cap(s.turns) }

// Run copies the inputs into a program, runs it and copies its outputs.
func (s *goSession) Run(ctx context.Context, in, out []session.Tensor) error {
	given, err := session.Inputs(s.inputs, in)
	if err != nil {
		return err
	}
	wanted, err := session.Outputs(s.outputs, out)
	if err != nil {
		return err
	}
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	p, err := s.take(given)
	if err != nil {
		return err
	}
	if err := p.run(ctx, given, wanted); err != nil {
		return err
	}
	s.keep(p)
	return nil
}

// Close frees the programs. It must not be called while Run is at work.
func (s *goSession) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.idle = true, nil
	return nil
}
