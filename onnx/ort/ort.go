// Package ort runs ONNX models with ONNX Runtime. It finds and installs the
// native library, opens sessions on the execution providers, and reports what
// this machine can run.
//
// The binding is github.com/yalue/onnxruntime_go, which no other package
// imports.
package ort

import (
	"errors"
	"fmt"
	"sync"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx/ort/internal/sigkeep"
)

// environment is the one environment of the process: ONNX Runtime knows no more.
var environment struct {
	sync.Mutex
	library Library
	ready   bool
}

// Available finds and loads the library, once for the process. Its error names
// what was looked at and the command that installs the library. A failed
// attempt may be repeated, for instance after Install.
func Available() error {
	environment.Lock()
	defer environment.Unlock()
	if environment.ready {
		return nil
	}
	lib, err := Find()
	if err != nil {
		return err
	}
	err = sigkeep.Keep(func() error {
		native.SetSharedLibraryPath(lib.Path)
		// Errors come back as values too; ONNX Runtime's own log would only
		// repeat them on stderr.
		return native.InitializeEnvironment(native.WithLogLevelFatal())
	})
	if err != nil {
		return fmt.Errorf("load ONNX Runtime from %s: %w", lib.Path, err)
	}
	environment.library, environment.ready = lib, true
	return native.DisableTelemetry()
}

// Loaded is the library that this process has loaded.
func Loaded() (Library, error) {
	if err := Available(); err != nil {
		return Library{}, err
	}
	environment.Lock()
	defer environment.Unlock()
	return environment.library, nil
}

// Version is the version of the loaded library, such as "1.25.1", or "" when
// none is loaded yet.
func Version() string {
	environment.Lock()
	defer environment.Unlock()
	return environment.library.Version
}

// ErrNotInstalled is wrapped by errors of Find, Available and Open where no
// library was found.
var ErrNotInstalled = errors.New("the ONNX Runtime library is not installed")
