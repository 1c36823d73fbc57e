package pretrained

import (
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
func openFile(path string, o session.Options) (session.Session, error) { return ort.Open(path, o) }
