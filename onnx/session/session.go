// Package session is the small interface behind which a model runs, whatever
// computes it: the options to start with, the session itself, and what every
// engine checks of the tensors it is handed. Package graft/onnx/ort makes sessions
// of ONNX Runtime.
package session

import (
	"context"
	"fmt"
	"slices"

	"graft/onnx"
)

// Session is a model loaded on a provider. Any number of goroutines may call Run,
// and Streams of them run at once; Close must be called alone.
type Session interface {
	// Inputs are the model's inputs, without those that its own weights fill.
	Inputs() []onnx.Value
	// Outputs are the model's outputs, all of them, whatever Options.Outputs says.
	Outputs() []onnx.Value
	// Provider is the provider that runs the model, never Auto. With AllowFallback
	// parts of the model may run on the CPU beside it.
	Provider() Provider
	// RuntimeVersion is the version of what computes, such as "1.25.1".
	RuntimeVersion() string
	// Streams is how many calls of Run go on at once; further ones wait. It is 1
	// without Options.Throughput, and on accelerators.
	Streams() int
	// Run computes out from in. The slices of out must have the sizes that the model
	// gives for these inputs and are filled. All inputs are needed; outputs not
	// asked for are computed and thrown away, see Options.Outputs. A cancelled ctx
	// stops the computation between two nodes, and Run returns its error.
	Run(ctx context.Context, in, out []Tensor) error
	// Close frees the model. It may be called twice.
	Close() error
}

// SelectOutputs finds the wanted outputs among all of a model, in the wanted order;
// nil wants all.
func SelectOutputs(all []onnx.Value, want []string) ([]onnx.Value, error) {
	if want == nil {
		return all, nil
	}
	var out []onnx.Value
	for _, name := range want {
		i := slices.IndexFunc(all, func(v onnx.Value) bool { return v.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no output %q in the model, it has %s", name, Names(all))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// Names are the values' names.
func Names(values []onnx.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name
	}
	return out
}
