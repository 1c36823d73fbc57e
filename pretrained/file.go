package pretrained

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"graft/onnx"
	"graft/onnx/meta"
)

// File is an ONNX file and what is known of it: the header, which is read once, and the hash, which is computed once
// and when it is asked for.
type File struct {
	Path   string
	Header *onnx.Model // inputs, outputs and description; neither nodes nor weights
	Meta   meta.Meta   // what the header says in graft's words
	mu     sync.Mutex
	hash   string                  // "" until it is asked for
	change func(*onnx.Model) error // made to the model before it runs; nil: none
	// weights identifies those that change puts in the place of the file's: what was found out about a network's numbers is
	// kept under both hashes.
	weights string
}

// Changed is the file whose model, before it runs, is changed. Where the change brings other weights, of the same names
// and shapes, weights tells them from others, as a hash does; else it is "". Nothing is written, and what is known of the
// file, its hash too, is of it as it lies there.
func (f *File) Changed(weights string, change func(*onnx.Model) error) *File {
	f.mu.Lock()
	defer f.mu.Unlock()
	both := change
	if before := f.change; before != nil {
		both = func(m *onnx.Model) error { return errors.Join(before(m), change(m)) }
	}
	return &File{Path: f.Path, Header: f.Header, Meta: f.Meta, hash: f.hash, change: both, weights: f.weights + weights}
}

// open reads the model, and changes it where it is to be.
func (f *File) open() (*onnx.Model, error) {
	m, err := onnx.Open(f.Path)
	if err != nil || f.change == nil {
		return m, err
	}
	if err := f.change(m); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Path, err), m.Close())
	}
	return m, nil
}

// OpenFile reads the header of the ONNX file at path.
func OpenFile(path string) (*File, error) {
	header, err := onnx.OpenHeader(path)
	if err != nil && slices.Contains([]string{".safetensors", ".pth", ".pt", ".bin"}, strings.ToLower(filepath.Ext(path))) {
		err = fmt.Errorf("%w; a checkpoint is exported first: graft model export --weights %s --out FILE.onnx", err, path)
	}
	if err != nil {
		return nil, err
	}
	about, err := meta.Read(header.Metadata)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{Path: path, Header: header, Meta: about}, nil
}

// Hash is onnx.Hash of the file.
func (f *File) Hash(ctx context.Context) (_ string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hash == "" {
		f.hash, err = onnx.Hash(ctx, f.Path)
	}
	return f.hash, err
}

// Parameters is how many learned numbers the network has.
func (f *File) Parameters() (int64, error) {
	if n := f.Meta.Parameters; n > 0 {
		return int64(n), nil
	}
	m, err := onnx.Open(f.Path)
	if err != nil {
		return 0, err
	}
	return Parameters(m), m.Close()
}

// Parameters is how many learned numbers the network in a file has: what graft recorded of the checkpoint, else what is
// counted in the file (onnx.Model.Parameters), which is the same but for tensors that an exporter multiplied or added.
func Parameters(m *onnx.Model) int64 {
	if about, err := meta.Read(m.Metadata); err == nil && about.Parameters > 0 {
		return int64(about.Parameters)
	}
	return m.Parameters()
}

// Own tells backbones that graft exported by their metadata and input.
func (f *File) Own() bool {
	in := f.Header.Inputs
	return f.Meta.Arch != "" && len(in) == 1 && in[0].Name == ownInput && in[0].Type == onnx.Uint8
}
