package ship

import (
	"cmp"
	"math"

	"graft/onnx"
	"graft/preprocess"
)

// pictures adds to a graph what graft does to pictures before a network, for pictures of any size: in matrix products, whose
// weights the graph makes of the size, so that engines without antialiased resizing run it too. Sizes and places are int64
// vectors of one element, as Shape gives them.
type pictures struct{ *onnx.Builder }

// resampled is how one side of pictures is resampled.
type resampled struct {
	from  string // pixels there are
	to    string // pixels they would become
	first string // of these, in float32, the first that is kept
	kept  int    // and how many are
}

func (p pictures) ints(name string, op string, a, b string) string {
	return p.Op(op, name, []string{a, b})
}

func (p pictures) int(name string, v int) string { return p.Int64s(name, int64(v)) }

func (p pictures) float(x string) string {
	return p.Op("Cast", x+"_float", []string{x}, onnx.Attr{Name: "to", Value: int64(onnx.Float32)})
}

func (p pictures) number(name string, v float32) string { return p.Float32s(name, []float32{v}) }

// pixelDims are those of uint8 pictures: planes, or, whole, as decoders give them, pixel by pixel.
func pixelDims(n onnx.Dim, whole bool) []onnx.Dim {
	c, h, w := onnx.Dim{Name: "C"}, onnx.Dim{Name: "H"}, onnx.Dim{Name: "W"}
	if whole {
		return []onnx.Dim{n, h, w, c}
	}
	return []onnx.Dim{n, c, h, w}
}

// planes makes [N,C,H,W] of [N,H,W,C].
func (p pictures) planes(x string) string {
	return p.Op("Transpose", "planes", []string{x}, onnx.Attr{Name: "perm", Value: []int64{0, 3, 1, 2}})
}

// size is a side of [N,C,H,W], by its axis.
func (p pictures) size(name, x string, axis int) string {
	shape := p.Op("Shape", name+"_shape", []string{x})
	return p.Op("Slice", name, []string{shape, p.int(name+"_at", axis), p.int(name+"_end", axis+1)})
}

// weights is the triangle filter that widens by the scale when shrinking, [kept,from], of sum 1 each row:
// preprocess.ResizeAntialias's and imaging.Linear's, max(0, 1-|j+½-(i+½)·s|/max(s,1)) with s from/to.
func (p pictures) weights(name string, s resampled) string {
	scale := p.Op("Div", name+"_scale", []string{p.float(s.from), p.float(s.to)})
	rows := make([]float32, s.kept)
	for i := range rows {
		rows[i] = float32(i) + 0.5
	}
	at := p.Op("Add", name+"_places", []string{p.Float32s(name+"_rows", rows, int64(s.kept), 1), s.first})
	at = p.Op("Mul", name+"_centres", []string{at, scale})
	zero, one := p.Const(name+"_from", onnx.Int64, nil, onnx.Int64s([]int64{0})), p.Const(name+"_step", onnx.Int64, nil, onnx.Int64s([]int64{1}))
	scalar := p.Op("Squeeze", name+"_pixels", []string{s.from, p.int(name+"_only", 0)})
	pixels := p.Op("Add", name+"_pixel_centres", []string{p.float(p.Op("Range", name+"_range", []string{zero, scalar, one})), p.number(name+"_half", 0.5)})
	d := p.Op("Abs", name+"_distances", []string{p.Op("Sub", name+"_apart", []string{pixels, at})})
	d = p.Op("Div", name+"_reach", []string{d, p.Op("Max", name+"_width", []string{scale, p.number(name+"_least", 1)})})
	w := p.Op("Relu", name+"_triangle", []string{p.Op("Sub", name+"_falling", []string{p.number(name+"_top", 1), d})})
	return p.Op("Div", name, []string{w, p.Op("ReduceSum", name+"_sums", []string{w, p.int(name+"_axis", 1)}, onnx.Attr{Name: "keepdims", Value: int64(1)})})
}

// resample resizes [N,C,H,W] across and then down, each followed by what round adds.
func (p pictures) resample(x string, down, across resampled, round func(x string) string) string {
	columns := p.Op("Transpose", "columns", []string{p.weights("across", across)}, onnx.Attr{Name: "perm", Value: []int64{1, 0}})
	x = round(p.Op("MatMul", "resized_columns", []string{x, columns}))
	return round(p.Op("MatMul", "resized", []string{p.weights("down", down), x}))
}

// bytes rounds to whole numbers, halves up, as 8-bit images are. within is how far a sum may miss the half that it is, for
// float32's rounding.
func (p pictures) bytes(x string, within float32) string {
	return p.Op("Floor", "bytes", []string{p.Op("Add", "bytes_up", []string{x, p.number("half_up", 0.5+within)})})
}

// rounded are sums of bytes with weights as bytes.
func (p pictures) rounded(x string) string { return p.bytes(x, 1.0/(1<<12)) }

// squared brings photographs, [N,C,H,W] in 0…255 of any size, to what spec's Cut makes of them, in whole numbers: the middle
// that is at most eight times as long as wide, resized in 8 bits until it covers what the crop is cut out of, and its centre.
// What Cut leaves to the graph, spec's network being graft's own, is enlarged without rounding.
func (p pictures) squared(x string, s preprocess.Spec) string {
	height, width := s.Size, cmp.Or(s.Width, s.Size)
	h, w := p.size("photo_height", x, 2), p.size("photo_width", x, 3)
	most := p.int("most_aspect", preprocess.MaxAspect)
	keptH := p.ints("kept_height", "Min", h, p.ints("most_height", "Mul", w, most))
	keptW := p.ints("kept_width", "Min", w, p.ints("most_width", "Mul", h, most))
	two := p.int("two", 2)
	begin := func(name, all, kept string) string {
		return p.ints(name, "Div", p.ints(name+"_spare", "Sub", all, kept), two)
	}
	top, left := begin("top", h, keptH), begin("left", w, keptW)
	join := func(name, a, b string) string {
		return p.Op("Concat", name, []string{a, b}, onnx.Attr{Name: "axis", Value: int64(0)})
	}
	x = p.Op("Slice", "kept", []string{x, join("kept_from", top, left),
		join("kept_to", p.ints("bottom", "Add", top, keptH), p.ints("right", "Add", left, keptW)), p.Int64s("kept_axes", 2, 3)})

	coverH, coverW := p.int("cover_height", int(math.Floor(float64(height)/s.Crop))), p.int("cover_width", int(math.Floor(float64(width)/s.Crop)))
	cover := func(name, least, other, mine, its string) string {
		return p.ints(name, "Max", least, p.ints(name+"_share", "Div", p.ints(name+"_times", "Mul", other, mine), its))
	}
	toH, toW := cover("to_height", coverH, coverW, keptH, keptW), cover("to_width", coverW, coverH, keptW, keptH)
	round := p.rounded
	if !s.Host {
		fits := p.Op("And", "as_it_is", []string{p.ints("small", "Less", h, p.int("larger", height+1)),
			p.ints("same_shape", "Equal", p.ints("height_times", "Mul", h, p.int("times_width", width)), p.ints("width_times", "Mul", w, p.int("times_height", height)))})
		toH = p.Op("Where", "or_height", []string{fits, p.int("height", height), toH})
		toW = p.Op("Where", "or_width", []string{fits, p.int("width", width), toW})
		round = func(x string) string { return p.Op("Where", "or_bytes", []string{fits, x, p.rounded(x)}) }
	}
	first := func(name, to string, kept int) string { // half of what is too much, halves to even
		spare := p.float(p.ints(name+"_more", "Sub", to, p.int(name+"_kept", kept)))
		return p.Op("Round", name, []string{p.Op("Mul", name+"_middle", []string{spare, p.number(name+"_half", 0.5)})})
	}
	return p.resample(x, resampled{keptH, toH, first("first_row", toH, height), height}, resampled{keptW, toW, first("first_column", toW, width), width}, round)
}

// channels makes pictures in 0…255, [N,C,H,W] of one channel or three, gray or RGB: luma as preprocess.Image.Gray, or the one
// channel three times.
func (p pictures) channels(x string, n int) string {
	x = p.RGB(x)
	if n == 3 {
		return x
	}
	luma := []float32{19595. / (1 << 16), 38470. / (1 << 16), 7471. / (1 << 16)}
	x = p.Op("Mul", "luma_parts", []string{x, p.Float32s("luma", luma, 1, 3, 1, 1)})
	x = p.Op("ReduceSum", "luma_sum", []string{x, p.int("luma_axis", 1)}, onnx.Attr{Name: "keepdims", Value: int64(1)})
	return p.bytes(x, 0) // the sums are exact
}

// wholeOpset is the operator set that has all of squared's operators in their present form.
const wholeOpset = 13

// photographs has the model's input take photographs of any size, uint8 [N,H,W,C], and returns what makes of it, as floats in
// 0…255 or where the input was none of bytes from the input itself, what the backbone read in their place.
func photographs(b *onnx.Builder, input onnx.Value, s preprocess.Spec) func(x string) string {
	p, in := pictures{b}, &b.Model.Inputs[0]
	in.Type, in.Dims = onnx.Uint8, pixelDims(input.Dims[0], true)
	if input.Type == onnx.Uint8 {
		return func(x string) string { return p.squared(p.planes(x), s) }
	}
	return func(x string) string {
		x = p.channels(p.squared(p.planes(b.Floats(x)), s), s.Channels)
		var scale, shift []float32 // as the host's, see package pretrained
		for c := range s.Channels {
			scale, shift = append(scale, 1/(255*s.Std[c])), append(shift, s.Mean[c]/s.Std[c])
		}
		x = b.Op("Mul", "scaled", []string{x, b.Float32s("scale", scale, 1, int64(s.Channels), 1, 1)})
		return b.Op("Sub", "normalised", []string{x, b.Float32s("shift", shift, 1, int64(s.Channels), 1, 1)})
	}
}
