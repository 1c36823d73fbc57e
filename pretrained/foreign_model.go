package pretrained

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/internal/plural"
	"graft/onnx"
	"graft/onnx/session"
	"graft/preprocess"
)

// FeaturesTap is the name of the one tap of foreign models.
const FeaturesTap = "features"

// Ways to make one row of an output with several per image.
const (
	PoolNone = ""     // the output is [N,D] already
	PoolCLS  = "cls"  // [N,T,D]: the first token
	PoolMean = "mean" // [N,T,D]: the mean over tokens; [N,D,H,W]: over places
)

// foreignModel is the adapter of files that graft did not export: one float32 input
// [N,C,H,W] of normalised pixels, to which images are brought on the host.
type foreignModel struct {
	preprocess.Spec
	input  onnx.Value
	out    onnx.Value
	batch  int // the file's fixed batch size, 0 when any will do
	shape  []int64
	tokens int             // rows to pool per image: T, or H·W
	dim    int             // 0 where only cuts are asked for
	lut    [3][256]float32 // normalised value of each pixel value
}

// newForeign checks that the model and its description fit. Where the file does
// not say how large the output is, probe finds out.
func newForeign(m *onnx.Model, f *preprocess.Spec, probe func(*foreignModel) ([]int64, error)) (*foreignModel, error) {
	a, err := foreignInput(m, f)
	if err == nil {
		err = a.findOutput(m.Outputs)
	}
	if err == nil {
		err = a.Check()
	}
	if err != nil {
		return nil, err
	}
	return a, a.settle(probe)
}

// newForeignInput is newForeign of a model of which only cuts are asked for: what it
// gives at its end need be no features.
func newForeignInput(m *onnx.Model, f *preprocess.Spec) (*foreignModel, error) {
	if f != nil && (f.Output != "" || f.Pool != "") {
		return nil, errors.New("output and pooling (--output, --pool) say what the tap features is, which is not asked for")
	}
	a, err := foreignInput(m, f)
	if err != nil {
		return nil, err
	}
	return a, a.Check()
}

// foreignInput settles what comes before the network.
func foreignInput(m *onnx.Model, f *preprocess.Spec) (*foreignModel, error) {
	if f == nil {
		return nil, errors.New("not exported by graft; describe it: input size, mean and std, and output and pooling where they are not plain")
	}
	a := &foreignModel{Spec: *f}
	a.Host, a.Filter, a.Crop = true, preprocess.Bilinear, cmp.Or(a.Crop, 1)
	if err := a.findInput(m.Inputs); err != nil {
		return nil, err
	}
	a.fillTable()
	return a, nil
}

// fillTable computes the normalised value of every pixel value.
func (a *foreignModel) fillTable() {
	for c := range 3 {
		scale, shift := 1/(255*a.Std[c]), a.Mean[c]/a.Std[c]
		for v := range a.lut[c] {
			a.lut[c][v] = float32(v)*scale - shift
		}
	}
}

// findInput checks the only input and settles size, channels and batch.
func (a *foreignModel) findInput(inputs []onnx.Value) error {
	if len(inputs) != 1 {
		return fmt.Errorf("%d inputs (%s); wanted one, the pixels", len(inputs), listValues(inputs))
	}
	a.input = inputs[0]
	d := a.input.Dims
	if a.input.Type != onnx.Float32 || len(d) != 4 {
		return fmt.Errorf("input %v; wanted float32 [N,C,H,W]", a.input)
	}
	a.Channels = int(min(d[1].Value, 4)) // of which there are 1 or 3
	if a.Channels < 1 && d[3].Value != 3 {
		a.Channels = 3 // not told: RGB is what image models take
	}
	if a.Channels != 1 && a.Channels != 3 {
		return fmt.Errorf("input %v; wanted 1 or 3 channels in second place (a model of [N,H,W,C] needs a Transpose in front)", a.input)
	}
	for _, side := range []onnx.Dim{d[2], d[3]} {
		if side.Value < 1 {
			continue
		}
		if a.Size == 0 {
			a.Size = int(min(side.Value, preprocess.MaxSide+1))
		}
		if int64(a.Size) != side.Value {
			return fmt.Errorf("input %v does not take %d×%d pixels", a.input, a.Size, a.Size)
		}
	}
	if a.Size == 0 {
		return fmt.Errorf("input %v takes any size; give the input size it was trained with (--input-size), up to %d", a.input, preprocess.MaxSide)
	}
	if a.Size > preprocess.MaxSide {
		return fmt.Errorf("input size %d; wanted 1 to %d", a.Size, preprocess.MaxSide)
	}
	if most := int64(maxOutput / (a.Channels * a.Size * a.Size)); d[0].Value > most {
		return fmt.Errorf("input %v takes %d images at once; wanted %d at most, or better a batch of any size (dynamic axes of the export)", a.input, d[0].Value, most)
	}
	a.batch = int(max(0, d[0].Value))
	return nil
}

// findOutput finds the output and what pooling makes of it.
func (a *foreignModel) findOutput(outputs []onnx.Value) error {
	var found []onnx.Value
	for _, v := range outputs {
		if v.Name == a.Output || (a.Output == "" && v.Type == onnx.Float32) {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		if a.Output != "" {
			return fmt.Errorf("no output is called %q (--output); there are %s", a.Output, listValues(outputs))
		}
		if len(found) == 0 {
			return fmt.Errorf("no output holds features, which are float32; there are %s", listValues(outputs))
		}
		return fmt.Errorf("%s could hold features: name one (--output) of %s", plural.Of(len(found), "output"), listValues(outputs))
	}
	a.out, a.Output = found[0], found[0].Name
	if a.out.Type != onnx.Float32 {
		return fmt.Errorf("output %v; wanted float32", a.out)
	}
	if a.out.Dims == nil {
		return fmt.Errorf("output %s: the file does not state its shape: write it anew with what onnx.shape_inference.infer_shapes finds", a.out.Name)
	}
	rank := len(a.out.Dims)
	switch {
	case rank == 2 && a.Pool == PoolNone, rank == 3 && a.Pool != PoolNone, rank == 4 && a.Pool == PoolMean:
		return nil
	}
	return fmt.Errorf("output %v with pooling %q (--pool); wanted [N,D] without, [N,T,D] with cls or mean, or [N,D,H,W] with mean", a.out, a.Pool)
}

// settle finds the output's size per image.
func (a *foreignModel) settle(probe func(*foreignModel) ([]int64, error)) error {
	for _, d := range a.out.Dims {
		a.shape = append(a.shape, d.Value)
	}
	if slices.Min(a.shape[1:]) < 1 {
		var err error
		if a.shape, err = probe(a); err != nil {
			return fmt.Errorf("output %v: the file does not say how large it is, and trying failed: %w", a.out, err)
		}
	}
	d := a.shape[1:]
	if slices.Max(d) > maxOutput {
		return fmt.Errorf("output %v is %v; wanted 1 to %d values per image", a.out, a.shape, maxOutput)
	}
	switch len(d) {
	case 1:
		a.tokens, a.dim = 1, int(d[0])
	case 2:
		a.tokens, a.dim = int(d[0]), int(d[1])
	case 3:
		a.tokens, a.dim = int(d[1]*d[2]), int(d[0])
	}
	if a.tokens < 1 || a.dim < 1 || a.tokens > maxOutput/a.dim/max(1, a.batch) {
		return fmt.Errorf("output %v is %v; wanted 1 to %d values per image, and of a batch that is fixed as many for all of it", a.out, a.shape, maxOutput)
	}
	return nil
}

// maxOutput caps the values of one image's output before pooling, and of a whole batch where the file fixes one, inputs too.
const maxOutput = 1 << 28

func listValues(values []onnx.Value) string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return strings.Join(out, "; ")
}

func (a *foreignModel) taps() []tapInfo {
	if a.dim == 0 {
		return nil
	}
	return []tapInfo{{name: FeaturesTap, dim: a.dim, tensor: a.out.Name}}
}

func (a *foreignModel) blank() ([]session.Tensor, int) {
	n := max(1, a.batch)
	return a.feed(n, make([]float32, n*a.Channels*a.Size*a.Size)), n
}

func (a *foreignModel) spec() preprocess.Spec { return a.Spec }

func (a *foreignModel) trial(f *File, outputs []string) *trial {
	n := cmp.Or(a.batch, 2)
	shape := []int64{int64(n), int64(a.Channels), int64(a.Size), int64(a.Size)}
	in := a.feed(n, randomPixels(onnx.Float32, shape).([]float32))
	t := &trial{in: in[0], single: a.batch == 0}
	for _, v := range f.Header.Outputs {
		if !slices.Contains(outputs, v.Name) {
			continue
		}
		inner := a.shape
		if v.Name != a.out.Name {
			inner = sizes(v.Dims, nil)
		}
		t.out = append(t.out, session.Tensor{Name: v.Name, Shape: append([]int64{int64(n)}, inner[1:]...)})
	}
	return t
}

// prepare brings an image to the input's size, and to gray where the model is gray.
func (a *foreignModel) prepare(im preprocess.Image) preprocess.Image {
	im = a.Cut(im)
	if a.Channels == 1 {
		return im.Gray()
	}
	return im
}

// run feeds the batch in pieces of the file's fixed batch size, the last one
// filled up with zeros.
func (a *foreignModel) run(ctx context.Context, s session.Session, buffers *scratch, batch []preprocess.Image, taps []tapInfo, out [][]float32) error {
	if len(out) == 0 {
		return nil
	}
	step := cmp.Or(a.batch, len(batch))
	piece := make([][]float32, len(out))
	for lo := 0; lo < len(batch); lo += step {
		hi := min(lo+step, len(batch))
		for t, info := range taps {
			piece[t] = out[t][lo*info.dim : hi*info.dim]
		}
		if err := a.runPiece(ctx, s, buffers, batch[lo:hi], step, taps, piece); err != nil {
			return err
		}
	}
	return nil
}

// runPiece runs up to n images and fills dst[t], [len(batch), dim].
func (a *foreignModel) runPiece(ctx context.Context, s session.Session, buffers *scratch, batch []preprocess.Image, n int, taps []tapInfo, dst [][]float32) error {
	size := a.Channels * a.Size * a.Size
	buffers.in = slices.Grow(buffers.in[:0], n*size)[:n*size]
	clear(buffers.in[len(batch)*size:])
	for i, im := range batch {
		if im.H != a.Size || im.W != a.Size || im.C > a.Channels {
			return fmt.Errorf("image of shape [%d,%d,%d] was not prepared for input [%d,%d,%d]", im.C, im.H, im.W, a.Channels, a.Size, a.Size)
		}
		a.pixels(buffers.in[i*size:(i+1)*size], im)
	}
	outs := a.outputs(buffers, n, taps)
	if err := s.Run(ctx, a.feed(n, buffers.in), outs); err != nil {
		return err
	}
	for t, info := range taps {
		raw := outs[t].Data.([]float32)
		if info.shape != nil {
			copy(dst[t], raw)
			continue
		}
		for i := range batch {
			a.pool(dst[t][i*a.dim:(i+1)*a.dim], raw[i*a.tokens*a.dim:(i+1)*a.tokens*a.dim])
		}
	}
	return nil
}

// outputs are the model's of n images, in buffers.
func (a *foreignModel) outputs(buffers *scratch, n int, taps []tapInfo) []session.Tensor {
	total := 0
	outs := make([]session.Tensor, len(taps))
	for t, info := range taps {
		outs[t] = session.Tensor{Name: info.tensor, Shape: info.outputShape(int64(n))}
		if info.shape == nil {
			outs[t].Shape = append(outs[t].Shape[:1], a.shape[1:]...)
		}
		total += values(outs[t].Shape)
	}
	buffers.raw = slices.Grow(buffers.raw[:0], total)[:total]
	rest := buffers.raw
	for t := range outs {
		size := values(outs[t].Shape)
		outs[t].Data, rest = rest[:size:size], rest[size:]
	}
	return outs
}

// values is the number of a shape's.
func values(shape []int64) int {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	return n
}

// feed is the model's input of n images.
func (a *foreignModel) feed(n int, data []float32) []session.Tensor {
	side := int64(a.Size)
	return []session.Tensor{{Name: a.input.Name, Shape: []int64{int64(n), int64(a.Channels), side, side}, Data: data}}
}

// pixels fills dst, [channels,H,W], repeating gray.
func (a *foreignModel) pixels(dst []float32, im preprocess.Image) {
	plane := im.H * im.W
	for c := range a.Channels {
		src := im.Pix[min(c, im.C-1)*plane:][:plane]
		for i, v := range src {
			dst[c*plane+i] = a.lut[c][v]
		}
	}
}

// pool makes one row of an image's output: [T,D], or [D,H·W] of feature maps.
func (a *foreignModel) pool(dst, src []float32) {
	if a.Pool != PoolMean {
		copy(dst, src[:a.dim])
		return
	}
	token, value := a.dim, 1 // strides of [T,D]
	if len(a.out.Dims) == 4 {
		token, value = 1, a.tokens
	}
	for d := range dst {
		var sum float64 // exact enough for any number of tokens
		for t := range a.tokens {
			sum += float64(src[t*token+d*value])
		}
		dst[d] = float32(sum / float64(a.tokens))
	}
}
