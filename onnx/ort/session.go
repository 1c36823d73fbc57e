//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"os"
	"slices"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx"
	"graft/onnx/ort/internal/sighandler"
	"graft/onnx/session"
)

// ortSession is a session of ONNX Runtime.
type ortSession struct {
	native          *native.DynamicAdvancedSession
	controls        chan *native.RunOptions // one for each call that may run
	inputs, outputs []onnx.Value
	all             []onnx.Value // outputs of the model, also those not opened
	version         string       // of the library
	provider        session.Provider
	warm            bool // has run once, of accelerators
}

// model is where the bytes come from: a file or memory.
type model struct {
	path   string
	data   []byte
	folder string // of weights that data leaves in another file
	header *onnx.Model
}

// Open loads the model at path, whose header onnx.OpenHeader read, on the provider that
// is named. One that cannot run all of the model is an error that says what is missing.
func Open(path string, header *onnx.Model, o session.Options) (session.Session, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	s, err := open(model{path: path, header: header}, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// OpenModel loads a model that onnx.Open read and that may have been changed
// since. Weights are taken from that file, without a copy of the whole model
// in memory; the file must stay as it is until the session is closed.
func OpenModel(m *onnx.Model, o session.Options) (session.Session, error) {
	data, folder, err := m.Link()
	if err != nil {
		return nil, err
	}
	return open(model{data: data, folder: folder, header: m}, o)
}

func open(m model, o session.Options) (session.Session, error) {
	o, err := o.Check()
	if err != nil {
		return nil, err
	}
	lib, err := loaded()
	if err != nil {
		return nil, err
	}
	s := &ortSession{inputs: m.header.Inputs, all: m.header.Outputs, version: lib.Version}
	if s.outputs, err = session.SelectOutputs(s.all, o.Outputs); err != nil {
		return nil, err
	}
	if len(s.inputs) == 0 || len(s.outputs) == 0 {
		return nil, fmt.Errorf("the model has %d inputs and %d outputs, want at least one of each", len(s.inputs), len(s.outputs))
	}
	if err := s.start(m, o); err != nil {
		return nil, err
	}
	if err := s.allow(streams(o, s.provider)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// allow makes what n calls need that run at once.
func (s *ortSession) allow(n int) error {
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

// start loads the model on o.Provider.
func (s *ortSession) start(m model, o session.Options) error {
	so, err := native.NewSessionOptions()
	if err != nil {
		return err
	}
	defer so.Destroy()
	n := threads(o)
	if o.Provider == session.CPU && o.Throughput {
		n = 1
	}
	err = errors.Join(so.SetIntraOpNumThreads(n), so.SetLogSeverityLevel(native.LoggingLevelFatal))
	if o.Trial {
		err = errors.Join(err, so.SetGraphOptimizationLevel(native.GraphOptimizationLevelDisableAll), so.AddSessionConfigEntry("session.disable_prepacking", "1"))
	}
	if m.folder != "" {
		err = errors.Join(err, so.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", m.folder))
	}
	if err != nil {
		return err
	}
	err = sighandler.Preserve(func() error {
		if err := attach(so, o); err != nil {
			return withHint(o.Provider, err)
		}
		if s.native, err = m.load(session.Names(s.inputs), session.Names(s.outputs), so); err != nil {
			return withHint(o.Provider, err)
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

func (s *ortSession) Inputs() []onnx.Value       { return slices.Clone(s.inputs) }
func (s *ortSession) Outputs() []onnx.Value      { return slices.Clone(s.all) }
func (s *ortSession) Provider() session.Provider { return s.provider }
func (s *ortSession) RuntimeVersion() string     { return s.version }
func (s *ortSession) Streams() int               { return cap(s.controls) }

// Close must not be called while Run is at work.
func (s *ortSession) Close() error {
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
