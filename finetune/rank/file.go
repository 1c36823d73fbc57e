package rank

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/models"
	"graft/pretrained"
)

// File is a backbone's ONNX file.
type File struct {
	Name string // as it was asked for
	Path string

	bytes, parameters int64
	opened            *pretrained.File
}

// Find turns words into files: each is the path of an ONNX file, or a name of
// the zoo that was pulled into dir. What is not there, no ONNX model, or named
// twice is an error.
func Find(words []string, dir string) ([]File, error) {
	var out []File
	for _, w := range words {
		f, err := find(w, dir)
		if err != nil {
			return nil, err
		}
		for _, o := range out {
			if filepath.Clean(o.Path) == filepath.Clean(f.Path) {
				return nil, fmt.Errorf("%s is named twice", f.Path)
			}
		}
		out = append(out, f)
	}
	return out, nil
}

func find(word, dir string) (File, error) {
	f := File{Name: word, Path: word}
	info, err := os.Stat(word)
	if os.IsNotExist(err) {
		entry, unknown := models.Get(word)
		if unknown != nil {
			return f, fmt.Errorf("no ONNX file %s, and %w", word, unknown)
		}
		f.Path = entry.ONNXPath(dir)
		if info, err = os.Stat(f.Path); os.IsNotExist(err) {
			return f, fmt.Errorf("%s of the zoo is not at %s; fetch it with graft model pull %s", word, f.Path, word)
		}
	}
	if err != nil {
		return f, err
	}
	f.bytes = info.Size()
	if f.opened, err = pretrained.OpenFile(f.Path); err == nil {
		f.parameters, err = f.opened.Parameters()
	}
	return f, err
}

// describe is what is known of a backbone before it has run.
func (f File) describe(p *pretrained.Backbone) Backbone {
	return Backbone{Name: f.Name, File: f.Path, SHA256: p.Hash(), Arch: f.opened.Meta.Arch, Source: p.Source(), Random: strings.HasPrefix(p.Source(), "random:"),
		Precision: p.Precision(), Bytes: f.bytes, Parameters: f.parameters}
}
