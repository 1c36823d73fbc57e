package models

import (
	"os"
	"path/filepath"
)

// State is what a folder holds of an entry.
type State struct {
	Weights bool `json:"weights"` // the checkpoint, whole
	Partial bool `json:"partial"` // an unfinished download of it
	ONNX    bool `json:"onnx"`    // the converted model
}

// State looks an entry's files up in dir, without verifying them.
func (e Entry) State(dir string) State {
	return State{
		Weights: isFile(filepath.Join(dir, e.File)),
		Partial: isFile(filepath.Join(dir, e.File+".part")),
		ONNX:    isFile(e.ONNXPath(dir)),
	}
}

// ONNXPath is where the converted model of an entry lies.
func (e Entry) ONNXPath(dir string) string { return filepath.Join(dir, e.Name+".onnx") }

func isFile(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular()
}
