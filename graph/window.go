package graph

import (
	"cmp"
	"fmt"

	"graft/onnx"
)

// ConvAttrs says how a kernel moves over images, each for height and width.
type ConvAttrs struct {
	Stride   [2]int // from place to place; 0 means 1
	Pad      [2]int // zeros on both sides of the image
	Extra    [2]int // zeros behind it besides; -Pad at least
	Dilation [2]int // from one element of the kernel to the next; 0 means 1
	Groups   int    // 0 means 1
}

func (a ConvAttrs) normal() ConvAttrs {
	for i := range a.Stride {
		a.Stride[i], a.Dilation[i] = cmp.Or(a.Stride[i], 1), cmp.Or(a.Dilation[i], 1)
	}
	a.Groups = cmp.Or(a.Groups, 1)
	return a
}

// output is the height and width of the result.
func (a ConvAttrs) output(h, w, kh, kw int) (oh, ow int, err error) {
	if oh, err = a.places(0, h, kh); err != nil {
		return 0, 0, fmt.Errorf("height: %w", err)
	}
	if ow, err = a.places(1, w, kw); err != nil {
		return 0, 0, fmt.Errorf("width: %w", err)
	}
	return oh, ow, nil
}

// places is the number of places of a kernel along one axis.
func (a ConvAttrs) places(axis, size, kernel int) (int, error) {
	stride, dilation, before, after := a.Stride[axis], a.Dilation[axis], a.Pad[axis], a.Pad[axis]+a.Extra[axis]
	if kernel < 1 || stride < 1 || dilation < 1 || before < 0 || after < 0 {
		return 0, fmt.Errorf("wanted kernel, stride and dilation of at least 1 and no negative padding, got %d, %d, %d and %d, %d", kernel, stride, dilation, before, after)
	}
	covers := (kernel-1)*dilation + 1
	if size+before+after < covers {
		return 0, fmt.Errorf("a window of %d does not fit into %d with padding %d, %d", covers, size, before, after)
	}
	return (size+before+after-covers)/stride + 1, nil
}

// covers tells whether a place of a kernel covers an element of the image.
func (a ConvAttrs) covers(axis, place, size, kernel int) bool {
	for k := range kernel {
		if at := place*a.Stride[axis] + k*a.Dilation[axis] - a.Pad[axis]; at >= 0 && at < size {
			return true
		}
	}
	return false
}

// grouped wants channels that can be cut into the groups.
func (a ConvAttrs) grouped(channels int) error {
	if a.Groups < 1 || channels%a.Groups != 0 {
		return fmt.Errorf("%d channels do not make %d equal groups", channels, a.Groups)
	}
	return nil
}

// operator are ONNX's attributes for a kernel of that height and width.
func (a ConvAttrs) operator(kernel []int) []onnx.Attr {
	pads := []int{a.Pad[0], a.Pad[1], a.Pad[0] + a.Extra[0], a.Pad[1] + a.Extra[1]}
	out := []onnx.Attr{attr("kernel_shape", int64s(kernel)), attr("strides", int64s(a.Stride[:])), attr("pads", int64s(pads))}
	if a.Dilation != [2]int{1, 1} {
		out = append(out, attr("dilations", int64s(a.Dilation[:])))
	}
	if a.Groups != 1 {
		out = append(out, attr("group", int64(a.Groups)))
	}
	return out
}

// eachProduct visits every multiplication of a convolution by the indices of its input, kernel and output elements.
func eachProduct(x, w, y Shape, a ConvAttrs, f func(ix, iw, iy int)) {
	sx, sw, outputs := x.Strides(), w.Strides(), w[0]/a.Groups
	for iy, p := range y.Indices() {
		first := p[1] / outputs * w[1] // of the group's channels
		for k, q := range w[1:].Indices() {
			h, v := p[2]*a.Stride[0]+q[1]*a.Dilation[0]-a.Pad[0], p[3]*a.Stride[1]+q[2]*a.Dilation[1]-a.Pad[1]
			if h >= 0 && h < x[2] && v >= 0 && v < x[3] {
				f(Offset(sx, []int{p[0], first + q[0], h, v}), p[1]*sw[0]+k, iy)
			}
		}
	}
}
