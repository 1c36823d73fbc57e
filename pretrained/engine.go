package pretrained

import (
	"errors"

	"graft/onnx"
	"graft/onnx/ort"
	"graft/onnx/session"
)

// This file alone knows what makes sessions.

// Available tells whether anything here can run a model; its error says what is
// missing and the command that mends it.
func Available() error { return ort.Available() }

// OpenModel starts a session on a model that onnx.Open read, and that may have been
// changed since, or that was built in memory. A file's weights are taken from
// there; it must stay as it is until the session is closed.
func OpenModel(m *onnx.Model, o session.Options) (session.Session, error) { return ort.OpenModel(m, o) }

// openFile starts a session on the file as it is.
func openFile(f *File, o session.Options) (session.Session, error) {
	return ort.Open(f.Path, f.Header, o)
}

// Try starts a session on the CPU on a file that was written, and ends it: what a
// runtime refuses is better known before the file takes its name. Where nothing here
// can run a model (Available) it does nothing.
func Try(path string) error {
	if Available() != nil {
		return nil
	}
	m, err := onnx.Open(path)
	if err != nil {
		return err
	}
	s, err := OpenModel(m, session.Options{Provider: session.CPU, Trial: true})
	if err == nil {
		err = s.Close()
	}
	return errors.Join(err, m.Close())
}
