//go:build !cgo

package ort

import (
	"graft/onnx"
	"graft/onnx/session"
)

const cgo = false

func libraryVersion(string) (string, error) { return "", errNoCgo }

func loaded() (Library, error) { return Library{}, errNoCgo }

// Want has no effect: no library is loaded.
func Want(session.Provider) {}

// Available is an error: a build without cgo cannot load the library.
func Available() error { return errNoCgo }

// Open is the error of Available.
func Open(string, *onnx.Model, session.Options) (session.Session, error) { return nil, errNoCgo }

// OpenModel is the error of Available.
func OpenModel(*onnx.Model, session.Options) (session.Session, error) { return nil, errNoCgo }
