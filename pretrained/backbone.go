// Package pretrained runs frozen, pretrained image backbones: an ONNX file, the
// preprocessing it wants and a session, behind one type.
//
// Two kinds of file are understood. Files that graft exported (their metadata
// says so) take uint8 pixels of any size and preprocess inside the graph.
// Foreign files take normalised float32 [N,C,H,W]; Options.Foreign describes them
// and preprocessing runs on the host. Either way a Backbone turns images into
// features: one row of Dim(tap) float32 for each image and tap.
package pretrained

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/taps"
)

// Options say how a backbone runs.
type Options struct {
	Runtime session.Options
	// Foreign describes a model that graft did not export: Mean and Std, and the
	// rest where the file does not say it. Size 0 is the file's, Crop 0 is 1, Output
	// "" the only float32 output; Host, Filter and Channels are not looked at. It
	// must be nil for files that graft did export, which describe themselves.
	Foreign *preprocess.Spec
	// Taps, in the words of package taps, are the features that will be asked for: what
	// only others need is then not computed. Nil means all, words that say nothing the first.
	// Cuts, tokens_8 or tensor:NAME, are there only if they are named: with nothing else
	// named, the network runs no further than to the last of them.
	Taps []string
}

// adapter is what differs between graft's own files and foreign ones.
type adapter interface {
	// taps lists the features on offer, in the file's order.
	taps() []tapInfo
	// blank is the input of a batch of black images, and their number.
	blank() (in []session.Tensor, images int)
	// prepare brings an image to what run accepts.
	prepare(im preprocess.Image) preprocess.Image
	// pixels writes what the model's input is for an image that was prepared.
	pixels(x []float32, im preprocess.Image)
	// run feeds images of one shape, and fills out[t] with [len(batch), dim]. It
	// may be called by several goroutines, each with its own scratch.
	run(ctx context.Context, s session.Session, buffers *scratch, batch []preprocess.Image, taps []tapInfo, out [][]float32) error
	spec() preprocess.Spec
	// trial is what providers are compared on, of the outputs.
	trial(file *File, outputs []string) *trial
}

// tapInfo is one kind of feature that a backbone gives.
type tapInfo struct {
	name   string
	dim    int
	tensor string // of the model, that it is made of
	shape  []int  // of an image's part of it, where the tap is that as it is; else nil
}

// scratch is what a run needs, kept for the next one.
type scratch struct {
	pixels  []uint8   // [N,C,H,W] of the batch at hand
	in, raw []float32 // of foreign models: input and output
}

// Backbone is a frozen feature extractor. Its methods may be called from
// several goroutines; Run serves Streams calls at a time.
type Backbone struct {
	file    *File
	hash    string
	adapter adapter
	open    []tapInfo // those of the adapter's taps that the session computes
	session session.Session
	runs    chan *scratch // one for each call that may run
}

// Open loads the ONNX file at path and starts a session on it. Files in float16
// are refused where the CPU would run them.
func Open(ctx context.Context, path string, o Options) (*Backbone, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("backbone: %w", err)
	}
	return f.Open(ctx, o)
}

// Open is Open of a file whose header was read.
func (f *File) Open(ctx context.Context, o Options) (*Backbone, error) {
	b, err := describe(ctx, f, o)
	if err != nil {
		return nil, err
	}
	if b.hash, err = f.Hash(ctx); err != nil {
		return nil, fmt.Errorf("backbone: %w", err)
	}
	o.Runtime.Outputs = nil
	for _, t := range b.open {
		if !slices.Contains(o.Runtime.Outputs, t.tensor) {
			o.Runtime.Outputs = append(o.Runtime.Outputs, t.tensor)
		}
	}
	file := f.cut(b.cuts())
	s, err := file.openSession(ctx, o.Runtime, b.adapter.trial(file, o.Runtime.Outputs))
	if err != nil {
		return nil, fmt.Errorf("backbone: %w", err)
	}
	b.serve(s)
	return b, nil
}

// serve runs the backbone on s.
func (b *Backbone) serve(s session.Session) {
	b.session, b.runs = s, make(chan *scratch, s.Streams())
	for range s.Streams() {
		b.runs <- &scratch{}
	}
}

// describe makes all of a backbone but its session.
func describe(ctx context.Context, f *File, o Options) (*Backbone, error) {
	b := &Backbone{file: f}
	words := taps.Split(o.Taps)
	features := len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return !taps.Cut(w) })
	var err error
	if b.adapter, err = newAdapter(ctx, f, o, features); err != nil {
		return nil, fmt.Errorf("backbone %s: %w", f.Path, err)
	}
	cuts, err := b.findCuts(ctx, wantedCuts(o.Taps), o.Runtime.Threads)
	if err != nil {
		return nil, fmt.Errorf("backbone %s: %w", f.Path, err)
	}
	b.open = append(b.adapter.taps(), cuts...)
	if len(b.open) == 0 {
		return nil, fmt.Errorf("backbone %s: no output holds features", f.Path)
	}
	if o.Taps == nil {
		return b, nil
	}
	names, err := taps.Resolve("backbone "+f.Path, b.Taps(), o.Taps, taps.First)
	if err != nil {
		return nil, err
	}
	b.open = slices.DeleteFunc(slices.Clone(b.open), func(t tapInfo) bool { return !slices.Contains(names, t.name) })
	return b, nil
}

// ErrDescribed is of settings that would have no effect.
var ErrDescribed = errors.New("exported by graft and describes itself; leave out the settings for foreign models")

// newAdapter tells graft's own files from foreign ones. Without features nothing but
// cuts is asked for.
func newAdapter(ctx context.Context, f *File, o Options, features bool) (adapter, error) {
	switch {
	case !f.Own() && !features:
		return newForeignInput(f.Header, o.Foreign)
	case !f.Own():
		return newForeign(f.Header, o.Foreign, func(a *foreignModel) ([]int64, error) {
			shapes, err := probeShapes(ctx, f.Path, a, []string{a.out.Name}, o.Runtime.Threads)
			if err != nil {
				return nil, err
			}
			return shapes[0], nil
		})
	case o.Foreign != nil:
		return nil, ErrDescribed
	}
	return newOwn(f)
}

// Name is the file's base name.
func (b *Backbone) Name() string { return filepath.Base(b.file.Path) }

// Hash is onnx.Hash of the file.
func (b *Backbone) Hash() string { return b.hash }

// Source is where the weights came from: the checkpoint's file name or
// random:SEED, and "" where the file does not say.
func (b *Backbone) Source() string { return b.file.Meta.Source }

// Parameters is how many learned numbers the network has.
func (b *Backbone) Parameters() (int64, error) { return b.file.Parameters() }

// Preprocessing is every setting between images and features.
func (b *Backbone) Preprocessing() preprocess.Spec { return b.adapter.spec() }

// Precision is the number format that the network computes in, "float32" unless the
// file says otherwise.
func (b *Backbone) Precision() string {
	return cmp.Or(b.file.Meta.Precision, string(precision.Float32))
}

// Provider is the execution provider that really runs.
func (b *Backbone) Provider() session.Provider { return b.session.Provider() }

// Streams is how many calls of Run go on at once, see session.Options.Throughput;
// further ones wait.
func (b *Backbone) Streams() int { return b.session.Streams() }

// RuntimeVersion is the version of what runs the backbone, such as ONNX Runtime.
func (b *Backbone) RuntimeVersion() string { return b.session.RuntimeVersion() }

// Taps lists the features that Options.Taps chose, in the file's order: for
// graft's own files from cls, mean, cls_1 … mean_L, and "features" for foreign ones;
// then cuts.
func (b *Backbone) Taps() []string {
	var names []string
	for _, t := range b.open {
		names = append(names, t.name)
	}
	return names
}

// Dim is the length of one row of the tap, and 0 for an unknown tap.
func (b *Backbone) Dim(tap string) int { return b.tap(tap).dim }

// Shape is that of one row of a cut, such as [T,D], and nil of taps that are vectors.
func (b *Backbone) Shape(tap string) []int { return b.tap(tap).shape }

// Tensor is the model's name of what a tap is made of.
func (b *Backbone) Tensor(tap string) string { return b.tap(tap).tensor }

// tap is the zero value where there is none of that name.
func (b *Backbone) tap(name string) tapInfo {
	for _, t := range b.open {
		if t.name == name {
			return t
		}
	}
	return tapInfo{}
}

// Prepare does the part of preprocessing that needs no session, so that it can
// run beside inference: for graft's own files, squaring what is not square or
// larger than the network's input; for foreign ones, bringing it to the input's size.
func (b *Backbone) Prepare(im preprocess.Image) preprocess.Image { return b.adapter.prepare(im) }

// Pixels writes what the model's input is for an image that has been through Prepare: of graft's own files 0 to 255, as
// their graph does the rest, of foreign ones the normalised numbers, gray repeated.
func (b *Backbone) Pixels(x []float32, im preprocess.Image) { b.adapter.pixels(x, im) }

// Close ends the session.
func (b *Backbone) Close() error { return b.session.Close() }
