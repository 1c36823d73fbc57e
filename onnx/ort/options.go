package ort

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// Provider names an execution provider.
type Provider string

// The execution providers. Auto takes the first accelerator that runs the whole
// model, else CPU; any other runs all of a model or fails.
const (
	Auto     Provider = "auto"
	CPU      Provider = "cpu"
	CUDA     Provider = "cuda"
	TensorRT Provider = "tensorrt"
	WebGPU   Provider = "webgpu"
	CoreML   Provider = "coreml"
	DirectML Provider = "directml"
	OpenVINO Provider = "openvino"
)

// Providers lists every provider but Auto.
func Providers() []Provider {
	return []Provider{CPU, CUDA, TensorRT, WebGPU, CoreML, DirectML, OpenVINO}
}

// ParseProvider turns a word into a Provider; the empty word is Auto.
func ParseProvider(word string) (Provider, error) {
	p := Provider(strings.ToLower(word))
	if p == "" || p == Auto {
		return Auto, nil
	}
	if _, ok := specs[p]; !ok {
		return "", fmt.Errorf("unknown provider %q, want auto or one of %v", word, Providers())
	}
	return p, nil
}

// Options say how a session runs.
type Options struct {
	Provider      Provider // "" is Auto
	Device        int      // number of the accelerator
	Threads       int      // CPU threads; 0 means all cores this process may use
	AllowFallback bool     // a named provider may leave part of the model to the CPU
	// Throughput lets the CPU run as many calls at once as it has threads, each on
	// one of them: Run takes longer, but more of it is done, as no thread waits for
	// another's share. It changes nothing elsewhere. See Session.Streams.
	Throughput      bool
	ProviderOptions map[string]string // settings in the provider's own words, over graft's
	// Outputs are the outputs that every Run asks for. Nil means all outputs of
	// the model; those that a Run does not ask for are then computed in vain.
	Outputs []string
}

// validate checks the options and fills in the defaults.
func (o Options) validate() (Options, error) {
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
	case len(o.ProviderOptions) > 0 && (p == Auto || p == CPU):
		return o, errors.New("provider options need a named accelerator, not " + string(p))
	}
	return o, nil
}

// streams is how many calls run at once on provider p.
func (o Options) streams(p Provider) int {
	if p != CPU || !o.Throughput {
		return 1
	}
	if n := o.threads(); n > 0 {
		return n
	}
	return min(runtime.NumCPU(), physicalCores("/"))
}

// threads is the number of threads to ask ONNX Runtime for. Its own default, 0,
// is one for each physical core, which is right unless a container or the user
// leaves this process fewer: that it does not see, and Go does.
func (o Options) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	if n := runtime.GOMAXPROCS(0); n < runtime.NumCPU() {
		return n
	}
	return 0
}
