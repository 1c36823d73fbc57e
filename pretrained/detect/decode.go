package detect

import (
	"image"
	"math"
)

// decode makes boxes of what the network says, as OpenCV does: a place's score is the root of the product of its class's and its
// objectness' sigmoids; box and landmarks are offsets from the place in strides, and the box's sides powers of e.
func (o output) decode(least float32) (faces []Face) {
	for k, stride := range strides {
		cls, obj, box, marks := o.of(0, k), o.of(1, k), o.of(2, k), o.of(3, k)
		cols, s := o.w/stride, float32(stride)
		for i := range cls {
			score := float32(math.Sqrt(sigmoid(cls[i]) * sigmoid(obj[i])))
			if !(score >= least) {
				continue
			}
			col, row := float32(i%cols), float32(i/cols)
			b := box[4*i : 4*i+4]
			w, h := exp(b[2])*s, exp(b[3])*s
			f := Face{X: (col+b[0])*s - w/2, Y: (row+b[1])*s - h/2, Width: w, Height: h, Score: score}
			for n := range f.Landmarks {
				f.Landmarks[n] = Point{(marks[10*i+2*n] + col) * s, (marks[10*i+2*n+1] + row) * s}
			}
			faces = append(faces, f)
		}
	}
	return faces
}

func sigmoid(v float32) float64 { return 1 / (1 + math.Exp(-float64(v))) }

func exp(v float32) float32 { return float32(math.Exp(float64(v))) }

// suppress keeps the boxes of the highest scores, none of which overlaps one that is kept by more than o.Overlap: OpenCV's
// NMSBoxes, on boxes cut to whole pixels. What is no finite box is dropped.
func suppress(faces []Face, o Options) []Face {
	best(faces)
	if len(faces) > o.TopK {
		faces = faces[:o.TopK]
	}
	kept := []Face{}
	var boxes []image.Rectangle
next:
	for _, f := range faces {
		box, ok := f.whole()
		if !ok {
			continue
		}
		for _, other := range boxes {
			if overlap(box, other) > float32(o.Overlap) {
				continue next
			}
		}
		kept, boxes = append(kept, f), append(boxes, box)
	}
	return kept
}

// whole is the box in whole pixels, towards zero.
func (f Face) whole() (image.Rectangle, bool) {
	for _, v := range []float32{f.X, f.Y, f.Width, f.Height} {
		if !(math.Abs(float64(v)) < 1<<24) {
			return image.Rectangle{}, false
		}
	}
	x, y := int(f.X), int(f.Y)
	return image.Rect(x, y, x+int(f.Width), y+int(f.Height)), true
}

// overlap is the intersection over the union, 0 of two empty boxes.
func overlap(a, b image.Rectangle) float32 {
	both := area(a) + area(b)
	if both == 0 {
		return 0
	}
	shared := area(a.Intersect(b))
	return float32(shared / (both - shared))
}

func area(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }
