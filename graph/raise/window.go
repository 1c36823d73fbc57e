package raise

import (
	"fmt"

	"graft/graph"
)

// window is what convolutions and pools have in common.
type window struct {
	graph.ConvAttrs
	kernel [2]int
}

// window reads a node's attributes for images of shape [N,C,H,W].
func (c *call) window(kernel, images []int) (w window, err error) {
	if k := c.Ints("kernel_shape"); k != nil {
		kernel = toInts(k)
	}
	if len(kernel) != 2 || len(images) != 4 {
		return w, fmt.Errorf("a window %v over %v: want two axes, height and width", kernel, images)
	}
	w.kernel, w.Stride, w.Dilation = [2]int(kernel), [2]int{1, 1}, [2]int{1, 1}
	for name, to := range map[string]*[2]int{"strides": &w.Stride, "dilations": &w.Dilation} {
		if v := c.Ints(name); len(v) == 2 {
			*to = [2]int(toInts(v))
		}
	}
	pads := [4]int{}
	if p := c.Ints("pads"); len(p) == 4 {
		pads = [4]int(toInts(p))
	}
	switch auto := c.Str("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
	case "VALID":
		pads = [4]int{}
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			pads[i], pads[2+i] = w.same(i, images[2+i], auto == "SAME_LOWER")
		}
	default:
		return w, fmt.Errorf("auto_pad %q", auto)
	}
	for i := range 2 {
		w.Pad[i], w.Extra[i] = pads[i], pads[2+i]-pads[i]
	}
	return w, nil
}

// same is the padding with which there are as many places as elements, over the stride; an odd zero goes behind or before.
func (w *window) same(axis, size int, before bool) (less, more int) {
	stride := w.Stride[axis]
	total := max(0, ((size+stride-1)/stride-1)*stride+(w.kernel[axis]-1)*w.Dilation[axis]+1-size)
	if before {
		return total - total/2, total / 2
	}
	return total / 2, total - total/2
}
