// Package detect finds the faces of a photograph and cuts them out as FER2013's faces are cut: with YuNet, the small
// detector of OpenCV's model zoo (Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023), run as OpenCV's
// FaceDetectorYN runs it (modules/objdetect/src/face_detect.cpp), on any engine of package session.
package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"graft/models"
	"graft/onnx"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained"
)

// Options say how faces are looked for. Zero values are the usual ones.
type Options struct {
	Runtime session.Options
	Score   float64 // least score of a face, in (0,1]; 0: DefaultScore
	Overlap float64 // of two boxes, intersection over union, from which on the lower score goes; 0: DefaultOverlap
	TopK    int     // boxes that are looked at, the best first; 0: DefaultTopK
	// Side is how long a photograph's longer side may be: larger ones are made smaller first. The detector was trained on
	// faces of about 10 to 300 pixels, and finds few of those above 500. 0: DefaultSide.
	Side int
}

// The usual Options. Overlap and boxes are OpenCV's; its score is 0.9, which few of FER2013's faces reach where they are pasted
// into photographs, while 0.6 brings few boxes that are none (docs/faces.md).
const (
	DefaultScore   = 0.6
	DefaultOverlap = 0.3
	DefaultTopK    = 5000
	DefaultSide    = 1280
)

// The bounds of Options.Side: the network's memory grows with the picture.
const (
	MinSide = divisor
	MaxSide = 4096
)

// Point is a place in pixels of the upright photograph, from its upper left corner.
type Point struct {
	X float32 `json:"x"`
	Y float32 `json:"y"`
}

// Face is one that was found. Its box, of which parts may lie outside the photograph, and its landmarks are in pixels of the
// upright photograph.
type Face struct {
	X         float32  `json:"x"` // left edge
	Y         float32  `json:"y"` // upper edge
	Width     float32  `json:"width"`
	Height    float32  `json:"height"`
	Score     float32  `json:"score"` // in [0,1]
	Landmarks [5]Point `json:"landmarks"`
}

// Landmarks are the words for Face.Landmarks, left and right being those of the person.
func Landmarks() []string {
	return []string{"right eye", "left eye", "nose", "right corner of the mouth", "left corner of the mouth"}
}

// Detector finds faces. Its methods but Close may be called from several goroutines.
type Detector struct {
	session session.Session
	o       Options
}

// Open opens the detector's ONNX file.
func Open(ctx context.Context, path string, o Options) (*Detector, error) {
	o.Score, o.Overlap = cmp.Or(o.Score, DefaultScore), cmp.Or(o.Overlap, DefaultOverlap)
	o.TopK, o.Side = cmp.Or(o.TopK, DefaultTopK), cmp.Or(o.Side, DefaultSide)
	switch {
	case !(o.Score > 0 && o.Score <= 1):
		return nil, fmt.Errorf("score of faces %g, want above 0 and at most 1", o.Score)
	case !(o.Overlap > 0 && o.Overlap <= 1):
		return nil, fmt.Errorf("overlap of faces %g, want above 0 and at most 1", o.Overlap)
	case o.TopK < 0:
		return nil, fmt.Errorf("%d faces at most, want 1 or more", o.TopK)
	case o.Side < MinSide || o.Side > MaxSide:
		return nil, fmt.Errorf("photographs of %d pixels for the detector, want %d to %d", o.Side, MinSide, MaxSide)
	}
	f, err := pretrained.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; graft model pull %s fetches the detector of faces", err, models.Faces)
	}
	if err != nil {
		return nil, err
	}
	if err := check(f.Header); err != nil {
		return nil, fmt.Errorf("%s: %w; graft model pull %s fetches the one that is known", path, err, models.Faces)
	}
	o.Runtime.Outputs = outputs()
	s, err := f.Changed("", prepare).OpenSession(ctx, o.Runtime)
	if err != nil {
		return nil, err
	}
	return &Detector{s, o}, nil
}

// Close frees the detector. It must be called alone.
func (d *Detector) Close() error { return d.session.Close() }

// Provider is what runs the network.
func (d *Detector) Provider() session.Provider { return d.session.Provider() }

const input = "input"

// strides are how many pixels lie between the places that look for small, middling and large faces; divisor is what sides are
// padded to.
var strides = []int{8, 16, 32}

const divisor = 32

// parts are what the network says of every place of a stride: how many numbers of each.
var parts = []struct {
	name string
	size int
}{{"cls", 1}, {"obj", 1}, {"bbox", 4}, {"kps", 10}}

// outputs are the network's: each part of each stride.
func outputs() (names []string) {
	for _, p := range parts {
		for _, s := range strides {
			names = append(names, fmt.Sprintf("%s_%d", p.name, s))
		}
	}
	return names
}

// check tells whether a model has YuNet's input and outputs.
func check(m *onnx.Model) error {
	if len(m.Inputs) != 1 || m.Inputs[0].Name != input || m.Inputs[0].Type != onnx.Float32 || len(m.Inputs[0].Dims) != 4 || m.Inputs[0].Dims[1].Value != 3 {
		return fmt.Errorf("no detector of faces: inputs %v, want %s float32 [1,3,H,W]", m.Inputs, input)
	}
	found, err := session.SelectOutputs(m.Outputs, outputs())
	if err != nil {
		return fmt.Errorf("no detector of faces: %w", err)
	}
	for i, v := range found {
		want := int64(parts[i/len(strides)].size)
		if v.Type != onnx.Float32 || len(v.Dims) != 3 || v.Dims[2].Value != want {
			return fmt.Errorf("no detector of faces: output %v, want float32 [1,N,%d]", v, want)
		}
	}
	return nil
}

// prepare makes the file, whose shapes are those of 640×640 pixels, take pictures of any size: the network is made of
// convolutions, and none of its nodes needs the size. Its sigmoids go, since decode has them: engines differ in how they
// round what lies next to 0, and are compared by relative differences.
func prepare(m *onnx.Model) error {
	m.ForgetShapes()
	dims := m.Inputs[0].Dims
	dims[2], dims[3] = onnx.Dim{Name: "H"}, onnx.Dim{Name: "W"}
	for i := range m.Outputs {
		m.Outputs[i].Dims[1] = onnx.Dim{}
	}
	sigmoids := outputs()[:2*len(strides)]
	for i, n := range m.Nodes {
		if n.Op == "Sigmoid" && slices.Contains(sigmoids, n.Outputs[0]) {
			m.Nodes[i].Op, sigmoids = "Identity", slices.DeleteFunc(sigmoids, func(name string) bool { return name == n.Outputs[0] })
		}
	}
	if len(sigmoids) > 0 {
		return fmt.Errorf("no detector of faces: output %q is no sigmoid", sigmoids[0])
	}
	return nil
}

// Faces are the faces of an upright photograph, gray or RGB, those of the highest scores first.
func (d *Detector) Faces(ctx context.Context, im preprocess.Image) ([]Face, error) {
	if im.H < 1 || im.W < 1 {
		return nil, fmt.Errorf("picture of %d×%d pixels is empty", im.W, im.H)
	}
	small := preprocess.Shrink(im, d.o.Side)
	o, err := d.run(ctx, small)
	if err != nil {
		return nil, fmt.Errorf("find faces: %w", err)
	}
	faces := suppress(o.decode(float32(d.o.Score)), d.o)
	across, down := float32(im.W)/float32(small.W), float32(im.H)/float32(small.H)
	for i := range faces {
		faces[i].scale(across, down)
	}
	return faces, nil
}

// output is what the network says: by part and stride, a row for each place, rows of places from the top; of cls and obj what
// the sigmoid is taken of.
type output struct {
	h, w   int // of the padded picture
	values [][]float32
}

// of is a part, by its number in parts, of a stride, by its number in strides.
func (o output) of(part, stride int) []float32 { return o.values[part*len(strides)+stride] }

// run runs the network on a picture, padded with black at its right and lower edge.
func (d *Detector) run(ctx context.Context, im preprocess.Image) (output, error) {
	o := output{h: padded(im.H), w: padded(im.W)}
	in := session.Tensor{Name: input, Shape: []int64{1, 3, int64(o.h), int64(o.w)}, Data: blob(im, o.h, o.w)}
	var out []session.Tensor
	for i, name := range outputs() {
		stride, size := strides[i%len(strides)], parts[i/len(strides)].size
		n := (o.h / stride) * (o.w / stride)
		o.values = append(o.values, make([]float32, n*size))
		out = append(out, session.Tensor{Name: name, Shape: []int64{1, int64(n), int64(size)}, Data: o.values[i]})
	}
	return o, d.session.Run(ctx, []session.Tensor{in}, out)
}

func padded(side int) int { return (side + divisor - 1) / divisor * divisor }

// blob is a picture as the network takes it: planes of blue, green and red, 0 to 255, padded to h×w with zeros.
func blob(im preprocess.Image, h, w int) []float32 {
	x := make([]float32, 3*h*w)
	for plane := range 3 {
		from := im.Pix[(im.C-1)*(2-plane)/2*im.H*im.W:] // of a gray picture its only plane
		for y := range im.H {
			to := x[(plane*h+y)*w:][:im.W]
			for i, v := range from[y*im.W:][:im.W] {
				to[i] = float32(v)
			}
		}
	}
	return x
}

func (f *Face) scale(across, down float32) {
	f.X, f.Width, f.Y, f.Height = f.X*across, f.Width*across, f.Y*down, f.Height*down
	for i := range f.Landmarks {
		f.Landmarks[i].X *= across
		f.Landmarks[i].Y *= down
	}
}

// best sorts by score, the highest first, and keeps the order of equal ones.
func best(faces []Face) {
	slices.SortStableFunc(faces, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) })
}
