//go:build cgo

package ort

import (
	"fmt"
	"sync"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx/ort/internal/dl"
	"graft/onnx/ort/internal/sighandler"
	"graft/onnx/session"
)

// cgo tells whether this build can load the library.
const cgo = true

// libraryVersion loads the library at path and returns its version.
func libraryVersion(path string) (string, error) { return dl.Version(path) }

// environment is the one environment of the process: ONNX Runtime knows no more.
var environment struct {
	sync.Mutex
	library Library
	ready   bool
	wanted  session.Provider
}

// Want says which provider is going to be asked for, before the library is loaded: OpenVINO lies in a library of its own,
// and a process loads one.
func Want(p session.Provider) {
	environment.Lock()
	defer environment.Unlock()
	if p == session.OpenVINO {
		environment.wanted = p
	}
}

// Available finds and loads the library, once for the process. Its error names
// what was looked at and the command that installs the library. A failed
// attempt may be repeated, for instance after Install.
func Available() error {
	_, err := loaded()
	return err
}

// loaded is the library that this process has loaded.
func loaded() (Library, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.ready {
		return environment.library, nil
	}
	lib, err := find(environment.wanted)
	if err != nil {
		return Library{}, err
	}
	err = sighandler.Preserve(func() error {
		native.SetSharedLibraryPath(lib.Path)
		// Errors come back as values too; ONNX Runtime's own log would only
		// repeat them on stderr.
		return native.InitializeEnvironment(native.WithLogLevelFatal())
	})
	if err != nil {
		return Library{}, fmt.Errorf("load ONNX Runtime from %s: %w", lib.Path, err)
	}
	environment.library, environment.ready = lib, true
	return lib, native.DisableTelemetry()
}
