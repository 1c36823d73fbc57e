package rank

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/models"
	"graft/onnx"
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
		f.Path, f.parameters = entry.ONNXPath(dir), entry.Parameters
		if info, err = os.Stat(f.Path); os.IsNotExist(err) {
			return f, fmt.Errorf("%s of the zoo is not at %s; fetch it with graft model pull %s", word, f.Path, word)
		}
	}
	if err != nil {
		return f, err
	}
	f.bytes = info.Size()
	if f.opened, err = pretrained.OpenFile(f.Path); err == nil && f.parameters == 0 {
		f.parameters, err = parameters(f.Path)
	}
	return f, err
}

// parameters is the number of a file's weights: the elements of its tensors of
// numbers, but for those too small to be learned in bulk and those that hold
// shapes and indices.
func parameters(path string) (n int64, err error) {
	m, err := onnx.Open(path)
	if err != nil {
		return 0, err
	}
	for _, t := range m.Initializers {
		if t.Type == onnx.Int64 || t.Type == onnx.Int32 || t.Type == onnx.Bool {
			continue
		}
		size := int64(1)
		for _, d := range t.Dims {
			size *= d
		}
		if size > 3 { // mean and std of colours, and single numbers, are no weights
			n += size
		}
	}
	return n, m.Close()
}

// describe is what is known of a backbone before it has run.
func (f File) describe(p *pretrained.Backbone) Backbone {
	return Backbone{Name: f.Name, File: f.Path, SHA256: p.Hash(), Arch: f.opened.Meta.Arch, Source: p.Source(), Random: strings.HasPrefix(p.Source(), "random:"),
		Precision: p.Precision(), Bytes: f.bytes, Parameters: f.parameters}
}
