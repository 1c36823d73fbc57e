package pretrained

import (
	"errors"
	"fmt"

	"graft/graph/gosession"
	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/session"
)

// This file alone knows what makes sessions.

// Native tells whether ONNX Runtime can be used here; its error says what is missing
// and the command that mends it. Without it, models run on session.Go.
func Native() error { return ort.Available() }

// local is the provider that runs models on the CPU of any machine.
func local() session.Provider {
	if Native() != nil {
		return session.Go
	}
	return session.CPU
}

// OpenModel starts a session on a model that onnx.Open read, and that may have been
// changed since, or that was built in memory. A file's weights are taken from
// there; it must stay as it is, and the model open, until the session is closed.
func OpenModel(m *onnx.Model, o session.Options) (session.Session, error) {
	return openModel(m, o, func(*onnx.Model) error { return nil })
}

// openModel is OpenModel of a model that is prepared for ONNX Runtime, where that is there.
func openModel(m *onnx.Model, o session.Options, prepare func(*onnx.Model) error) (session.Session, error) {
	native := func(o session.Options) (session.Session, error) {
		err := Native()
		if err == nil {
			err = prepare(m)
		}
		if err != nil {
			return nil, err
		}
		return ort.OpenModel(m, o)
	}
	return choose(o, native, func(o session.Options) (session.Session, error) { return gosession.Open(m, o) })
}

// choose has a session made by ONNX Runtime or by graft's own engine, as the provider's
// name says. Auto takes the latter where ONNX Runtime does not run the model.
func choose(o session.Options, native, own func(session.Options) (session.Session, error)) (session.Session, error) {
	p, err := session.ParseProvider(string(o.Provider))
	if p == session.Go || err != nil {
		return own(o)
	}
	s, err := native(o)
	switch {
	case err == nil:
		return s, nil
	case p != session.Auto && Native() != nil:
		return nil, fmt.Errorf("provider %s: %w; --provider %s needs no library", p, err, session.Go)
	case p != session.Auto:
		return nil, err
	}
	o.Provider, o.Device = session.Go, 0
	s, ownErr := own(o)
	if ownErr != nil {
		return nil, errors.Join(err, ownErr)
	}
	if o.Note != nil {
		o.Note(fmt.Sprintf("provider auto is %s, graft's own engine: %v", session.Go, err))
	}
	return second{s, err}, nil
}

// second is a session that Auto took after ONNX Runtime failed.
type second struct {
	session.Session
	first error
}

func (s second) PassedOver() []error { return []error{s.first} }

// openFile starts a session on the file as it is.
func openFile(f *File, o session.Options) (session.Session, error) {
	return choose(o, func(o session.Options) (session.Session, error) { return ort.Open(f.Path, f.Header, o) },
		func(o session.Options) (session.Session, error) {
			return withModel(f.Path, func(m *onnx.Model) (session.Session, error) { return gosession.Open(m, o) })
		})
}

// withModel starts a session on the model at path, which is closed with the session.
func withModel(path string, start func(m *onnx.Model) (session.Session, error)) (session.Session, error) {
	m, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := start(m)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), m.Close())
	}
	return holding{s, m}, nil
}

// holding is a session with the model that its weights come from.
type holding struct {
	session.Session
	model *onnx.Model
}

func (h holding) Close() error { return errors.Join(h.Session.Close(), h.model.Close()) }

// Try starts a session on the CPU on a file that was written, and ends it: what a
// runtime refuses is better known before the file takes its name. Where ONNX Runtime
// is missing (Native) it does nothing.
func Try(path string) error {
	if Native() != nil {
		return nil
	}
	s, err := withModel(path, func(m *onnx.Model) (session.Session, error) {
		return OpenModel(m, session.Options{Provider: session.CPU, Trial: true})
	})
	if err != nil {
		return err
	}
	return s.Close()
}
