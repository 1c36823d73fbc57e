// Package ort runs ONNX models with ONNX Runtime. It finds and installs the
// native library, makes sessions (package graft/onnx/session) on the execution
// providers, and reports what this machine can run. Where cgo is off it builds too,
// and whatever needs the library is an error that says so.
//
// The binding is github.com/yalue/onnxruntime_go, which no other package
// imports.
package ort

import "errors"

var (
	// errNotInstalled is wrapped where no library was found.
	errNotInstalled = errors.New("the ONNX Runtime library is not installed")
	errNoCgo        = errors.New("this graft was built without cgo and cannot load ONNX Runtime: build it with CGO_ENABLED=1 and a C compiler")
)
