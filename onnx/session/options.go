package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Provider names what computes a model.
type Provider string

// The providers. Auto takes the first accelerator that runs the whole model, else
// CPU, and Go where ONNX Runtime runs none of it; any other runs all of a model or
// fails. Go is graft's own engine, which needs no native library.
const (
	Auto     Provider = "auto"
	CPU      Provider = "cpu"
	CUDA     Provider = "cuda"
	TensorRT Provider = "tensorrt"
	WebGPU   Provider = "webgpu"
	CoreML   Provider = "coreml"
	DirectML Provider = "directml"
	OpenVINO Provider = "openvino"
	Go       Provider = "go"
)

// autoOrder is what Auto tries, each only if it runs the whole model in float32.
// Left out are TensorRT, which builds engines for minutes; OpenVINO and CoreML,
// which round to half precision on some devices; and WebGPU, which may be a
// software renderer, slower than the CPU.
var autoOrder = []Provider{CUDA, DirectML, CPU, Go}

// Providers lists every provider but Auto.
func Providers() []Provider {
	return []Provider{CPU, CUDA, TensorRT, WebGPU, CoreML, DirectML, OpenVINO, Go}
}

// Engine names what a provider's version is of, see Session.RuntimeVersion.
func (p Provider) Engine() string {
	if p == Go {
		return "graft's engine"
	}
	return "ONNX Runtime"
}

// ParseProvider turns a word into a Provider; the empty word is Auto.
func ParseProvider(word string) (Provider, error) {
	p := Provider(strings.ToLower(word))
	if p == "" || p == Auto {
		return Auto, nil
	}
	if !slices.Contains(Providers(), p) {
		return "", fmt.Errorf("unknown provider %q, want auto or one of %v", word, Providers())
	}
	return p, nil
}

// Options say how a session runs.
type Options struct {
	Provider      Provider   // "" is Auto
	Order         []Provider // what Auto tries; nil is the usual order
	Device        int        // number of the accelerator
	Threads       int        // CPU threads; 0 means all cores this process may use
	AllowFallback bool       // a named provider may leave part of the model to the CPU
	// Throughput lets the CPU, and Go, run as many calls at once as it has threads, each on
	// one of them: Run takes longer, but more of it is done, as no thread waits for
	// another's share. It changes nothing elsewhere. See Session.Streams.
	Throughput      bool
	ProviderOptions map[string]string // settings in the provider's own words, over graft's
	// Trial is a session that shall only show whether it starts: nothing is done, and no memory
	// spent, to make Run fast.
	Trial bool
	// Outputs are the outputs that every Run asks for. Nil means all outputs of
	// the model; those that a Run does not ask for are then computed in vain.
	Outputs []string
	// Note, if set, is told in a sentence what the user should know of Auto's choice, or of what the model costs here.
	Note func(sentence string)
}

// Check returns the options with the provider's word settled.
func (o Options) Check() (Options, error) {
	p, err := ParseProvider(string(o.Provider))
	if err != nil {
		return o, err
	}
	o.Provider = p
	switch {
	case o.Threads < 0:
		return o, fmt.Errorf("threads: want 0 or more, got %d", o.Threads)
	case o.Device < 0:
		return o, fmt.Errorf("device: want 0 or more, got %d", o.Device)
	case len(o.ProviderOptions) > 0 && (p == Auto || p == CPU || p == Go):
		return o, errors.New("provider options need a named accelerator, not " + string(p))
	}
	return o, nil
}

// Candidates are options to start with, of which the first that starts is taken: o
// itself, or for Auto one of each provider in its order. CPU and Go have no Device.
func (o Options) Candidates() []Options {
	if o.Provider != Auto {
		return []Options{o}
	}
	var out []Options
	order := o.Order
	if order == nil {
		order = autoOrder
	}
	for _, p := range order {
		o.Provider, o.AllowFallback = p, false
		if p == CPU || p == Go {
			o.Device = 0
		}
		out = append(out, o)
	}
	return out
}
