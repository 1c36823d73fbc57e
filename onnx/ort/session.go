package ort

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx"
	"graft/onnx/ort/internal/sigkeep"
)

// Session is a model loaded on a provider. Any number of goroutines may call Run,
// and Streams of them run at once; Close must be called alone.
type Session struct {
	native          *native.DynamicAdvancedSession
	controls        chan *native.RunOptions // one for each call that may run
	inputs, outputs []onnx.Value
	all             []onnx.Value // outputs of the model, also those not opened
	metadata        map[string]string
	provider        Provider
	passed          []error
	warm            bool // has run once, of accelerators
}

// model is where the bytes come from: a file or memory.
type model struct {
	path   string
	data   []byte
	folder string      // of weights that data leaves in another file
	known  *onnx.Model // what data holds, if that is known already
}

// Open loads the model at path. A named provider that cannot run all of the
// model is an error that says what is missing.
func Open(path string, o Options) (*Session, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := open(model{path: path}, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// OpenBytes loads a model that lies in memory. The bytes are not needed after
// it returns.
func OpenBytes(data []byte, o Options) (*Session, error) {
	if len(data) == 0 {
		return nil, errors.New("model: no bytes")
	}
	return open(model{data: data}, o)
}

// OpenModel loads a model that onnx.Open read and that may have been changed
// since. Weights are taken from that file, without a copy of the whole model
// in memory; the file must stay as it is until the session is closed.
func OpenModel(m *onnx.Model, o Options) (*Session, error) {
	data, folder, err := m.Link()
	if err != nil {
		return nil, err
	}
	return open(model{data: data, folder: folder, known: m}, o)
}

func open(m model, o Options) (*Session, error) {
	o, err := o.validate()
	if err != nil {
		return nil, err
	}
	if err := Available(); err != nil {
		return nil, err
	}
	header, err := m.header()
	if err != nil {
		return nil, err
	}
	s := &Session{inputs: header.Inputs, all: header.Outputs, metadata: header.Metadata}
	if s.outputs, err = selectOutputs(header.Outputs, o.Outputs); err != nil {
		return nil, err
	}
	if len(s.inputs) == 0 || len(s.outputs) == 0 {
		return nil, fmt.Errorf("the model has %d inputs and %d outputs, want at least one of each", len(s.inputs), len(s.outputs))
	}
	if o.Provider == Auto {
		err = s.startAuto(m, o)
	} else {
		err = s.start(m, o)
	}
	if err != nil {
		return nil, err
	}
	if err := s.allow(o.streams(s.provider)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// allow makes what n calls need that run at once.
func (s *Session) allow(n int) error {
	s.controls = make(chan *native.RunOptions, n)
	for range n {
		control, err := native.NewRunOptions()
		if err != nil {
			return err
		}
		s.controls <- control
	}
	return nil
}

func (m model) header() (*onnx.Model, error) {
	if m.known != nil {
		return m.known, nil
	}
	if m.path != "" {
		return onnx.OpenHeader(m.path)
	}
	return onnx.ReadHeader(bytes.NewReader(m.data), int64(len(m.data)))
}

// selectOutputs finds the wanted outputs, in the wanted order; nil wants all.
func selectOutputs(all []onnx.Value, want []string) ([]onnx.Value, error) {
	if want == nil {
		return all, nil
	}
	var out []onnx.Value
	for _, name := range want {
		i := slices.IndexFunc(all, func(v onnx.Value) bool { return v.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no output %q in the model, it has %s", name, names(all))
		}
		out = append(out, all[i])
	}
	return out, nil
}

func names(values []onnx.Value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.Name
	}
	return out
}

// startAuto starts on the first provider that takes the whole model.
func (s *Session) startAuto(m model, o Options) error {
	for _, p := range autoOrder {
		o.Provider, o.AllowFallback = p, false
		err := s.start(m, o)
		if err == nil {
			return nil
		}
		s.passed = append(s.passed, err)
	}
	o.Provider, o.Device = CPU, 0
	return s.start(m, o)
}

// start loads the model on o.Provider.
func (s *Session) start(m model, o Options) error {
	so, err := native.NewSessionOptions()
	if err != nil {
		return err
	}
	defer so.Destroy()
	threads := o.threads()
	if o.Provider == CPU && o.Throughput {
		threads = 1
	}
	err = errors.Join(so.SetIntraOpNumThreads(threads), so.SetLogSeverityLevel(native.LoggingLevelFatal))
	if err != nil {
		return err
	}
	err = sigkeep.Keep(func() error {
		if err := attach(so, o); err != nil {
			return explain(o.Provider, err)
		}
		if m.folder != "" {
			if err := so.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", m.folder); err != nil {
				return err
			}
		}
		if s.native, err = m.load(names(s.inputs), names(s.outputs), so); err != nil {
			return explain(o.Provider, err)
		}
		return nil
	})
	if err == nil {
		s.provider = o.Provider
	}
	return err
}

func (m model) load(in, out []string, so *native.SessionOptions) (*native.DynamicAdvancedSession, error) {
	if m.path != "" {
		return native.NewDynamicAdvancedSession(m.path, in, out, so)
	}
	return native.NewDynamicAdvancedSessionWithONNXData(m.data, in, out, so)
}

// Inputs are the model's inputs, without those that its own weights fill.
func (s *Session) Inputs() []onnx.Value { return slices.Clone(s.inputs) }

// Outputs are the model's outputs, all of them, whatever Options.Outputs says.
func (s *Session) Outputs() []onnx.Value { return slices.Clone(s.all) }

// Metadata holds the model's metadata_props.
func (s *Session) Metadata() map[string]string { return s.metadata }

// Provider is the provider that runs the model, never Auto. With AllowFallback
// parts of the model may run on the CPU beside it.
func (s *Session) Provider() Provider { return s.provider }

// PassedOver says why Auto did not take the providers that it tried first.
func (s *Session) PassedOver() []error { return s.passed }

// Streams is how many calls of Run go on at once; further ones wait. It is 1 without
// Options.Throughput, and on accelerators.
func (s *Session) Streams() int { return cap(s.controls) }

// Close frees the model. It may be called twice.
func (s *Session) Close() error {
	if s.native == nil {
		return nil
	}
	err := s.native.Destroy()
	for range len(s.controls) {
		err = errors.Join(err, (<-s.controls).Destroy())
	}
	s.native = nil
	return err
}
