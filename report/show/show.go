// Package show draws one image's way through a model: what each layer makes of it, what attention looks at, where the
// class is recognised, what the head reads of each tap. All values are outputs of the model's own graph: package nets
// builds that of a run, package raise that of an ONNX file, whoever made it; which nodes are drawn is told from the graph
// alone.
package show

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"graft/finetune/model"
	"graft/internal/plural"
	"graft/preprocess"
	"graft/report/raster"
)

// Schema is of a Result as JSON.
const Schema = "graft-show-1"

// Config says what to show.
type Config struct {
	Model    string           // a run's folder or an ONNX file
	Image    string           // an image file
	Backbone string           // a run's backbone; empty: where the run says
	Foreign  *preprocess.Spec // describes a model that graft did not export
	Class    string           // whose evidence is shown, by name or number; empty: the most probable one
	Layers   int              // of feature maps that are drawn at most; 0: all
	Threads  int              // 0: all cores
}

// Score is what the model says of a class.
type Score struct {
	Label       string  `json:"label"`
	Logit       float32 `json:"logit"`
	Probability float32 `json:"probability"`
}

// Layer tells the numbers of a layer of feature maps.
type Layer struct {
	Name  string  `json:"name"`
	What  string  `json:"what"`
	Shape []int   `json:"shape"` // [C,H,W]
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// Block is a block of attention: what the class token takes from each patch, by head (without such a token: what all
// tokens take on average), and how long the patches' tokens are behind it.
type Block struct {
	Heads [][]float32 `json:"heads"`
	Norms []float32   `json:"norms,omitempty"`
}

// Share is what a tap adds to the logits, by class.
type Share struct {
	Tap    string    `json:"tap"` // "rest": what no tap does
	Logits []float32 `json:"logits"`
}

// Result is what is shown, in numbers. Images are [rows,columns], row-major.
type Result struct {
	Model    string     `json:"model"`
	Kind     string     `json:"kind"` // of the run; onnx of a file
	Image    string     `json:"image"`
	Height   int        `json:"height"` // of the image, pixels
	Width    int        `json:"width"`
	Seen     [4]float64 `json:"seen"`    // the part that the network sees: left, top, width, height
	Classes  []Score    `json:"classes"` // in the model's order
	Evidence *Evidence  `json:"evidence,omitempty"`
	Layers   []Layer    `json:"layers"`
	Patches  [2]int     `json:"patches"` // rows and columns; 0: the network has none
	Blocks   []Block    `json:"blocks"`
	Rollout  []float32  `json:"rollout,omitempty"`
	Taps     []Share    `json:"taps,omitempty"`
	Exact    bool       `json:"taps_exact,omitempty"`
	Notes    []string   `json:"notes"`
	Files    []string   `json:"files"`

	figures []Figure
}

// Write writes the pictures, and the numbers as show.json, into a folder; see [Folder].
func (r *Result) Write(f Folder) error {
	page := page{Title: fmt.Sprintf("%s: %s", filepath.Base(r.Model), filepath.Base(r.Image)), Notes: r.Notes, figures: r.figures}
	return f.write(Schema, page, r, &r.Files)
}

// Run opens model and image and computes all that is shown.
func Run(ctx context.Context, c Config) (r *Result, err error) {
	im, err := model.ReadImage(ctx, c.Image)
	if err != nil {
		return nil, err
	}
	n, err := open(ctx, c, im)
	if n != nil && n.close != nil {
		defer func() { err = errors.Join(err, n.close()) }()
	}
	if err != nil {
		return nil, err
	}
	l, err := n.run(ctx, c.Class, c.Threads)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	if err := l.finite(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	r = l.numbers(c, im)
	r.figures = l.figures(c, im, r)
	return r, nil
}

// finite refuses what is no number: such pictures would say nothing.
func (l *look) finite() error {
	for n, v := range l.values {
		for i, x := range v {
			if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("value %d of %s is %g, want finite numbers", i, name(n), f)
			}
		}
	}
	return nil
}

// numbers are the results without their pictures.
func (l *look) numbers(c Config, im preprocess.Image) *Result {
	r := &Result{Model: c.Model, Kind: l.kind, Image: c.Image, Height: im.H, Width: im.W, Seen: [4]float64{l.part.X, l.part.Y, l.part.W, l.part.H},
		Classes: []Score{}, Layers: []Layer{}, Blocks: []Block{}, Files: []string{}, Notes: append([]string{}, l.notes...)}
	for i, p := range l.probs {
		r.Classes = append(r.Classes, Score{l.label(i), l.scores[i], p})
	}
	for _, s := range l.convolutions {
		v := l.values[s.node]
		low, high := raster.Range(raster.Array{H: 1, W: len(v), V: v})
		r.Layers = append(r.Layers, Layer{s.name, s.what, s.node.Shape()[1:], low, high})
	}
	if len(l.attention) > 0 {
		r.Patches = l.grid
	}
	for i, n := range l.attention {
		var b Block
		for _, a := range l.fromClass(n) {
			b.Heads = append(b.Heads, a.V)
		}
		if x := l.exits; i < len(x) {
			b.Norms = l.onPatches(norm(l.values[x[i]][:x[i].Shape().Size()/l.batch], l.tokens)).V
		}
		r.Blocks = append(r.Blocks, b)
	}
	if p := l.rollout(); p != nil {
		r.Rollout = l.onPatches(l.asked(p, l.prefix > 0)).V
	}
	if l.windows > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("attention of %s is of windows or of other tokens than the last ones, and is not drawn", plural.Of(l.windows, "layer")))
	}
	if l.why != "" {
		r.Notes = append(r.Notes, "no class evidence: "+l.why)
	}
	if l.head != nil {
		r.Exact = l.head.linear()
		for t, tap := range append(append([]string{}, l.head.taps...), "rest") {
			s := Share{Tap: tap}
			for _, class := range l.shares {
				s.Logits = append(s.Logits, class[t])
			}
			r.Taps = append(r.Taps, s)
		}
	}
	return r
}

// figures are all pictures, in the order of the way; the evidence's numbers are set besides.
func (l *look) figures(c Config, im preprocess.Image, r *Result) []Figure {
	photo := im.ToImage()
	list := []Figure{l.theImage(im, filepath.Base(c.Image))}
	list = append(list, l.layers(c.Layers)...)
	list = append(list, l.transformer(photo)...)
	if l.layer != nil {
		a := l.layer.evidence(l.anatomy, l.values[l.layer.node], l.values[l.layer.gradient])
		r.Evidence = &Evidence{Layer: name(l.layer.node), Class: l.label(l.class), Rows: a.H, Columns: a.W, Values: a.V}
		list = append(list, l.pointed(photo, a)...)
	}
	if l.head != nil {
		list = append(list, l.taps())
	}
	if l.probs != nil {
		list = append(list, l.probabilities())
	}
	return list
}
