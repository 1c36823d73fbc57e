package blocks

import (
	"fmt"

	"graft/internal/idle"
	"graft/onnx"
	"graft/onnx/meta"
)

// Input is the shape of one image as the model's only input: what the file declares, and where it leaves height and width
// open what its metadata say, or else a side of so many pixels. Open channels are three. That a side is given and not
// needed, or needed and not given (0), is an error.
func Input(m *onnx.Model, side int) ([]int, error) {
	if len(m.Inputs) != 1 || len(m.Inputs[0].Dims) != 4 {
		return nil, fmt.Errorf("blocks: inputs %v, want one of images [N,C,H,W]", m.Inputs)
	}
	about, err := meta.Read(m.Metadata)
	if err != nil {
		return nil, err
	}
	height, width := about.Spec.Size, about.Spec.Width
	if width == 0 {
		width = height
	}
	in := m.Inputs[0]
	shape, open := []int{1, 3, height, width}, false
	for i, d := range in.Dims[1:] {
		if d.Name == "" && d.Value > 0 {
			shape[i+1] = int(d.Value)
		} else if i > 0 && shape[i+1] == 0 {
			shape[i+1], open = side, true
		}
	}
	switch {
	case open && side < 1:
		return nil, fmt.Errorf("blocks: the input %v leaves its size open: give one", in)
	case !open && side > 0:
		return nil, idle.Errorf("input-size", "blocks: the input is %dx%d pixels, as the file says, and not %d", shape[2], shape[3], side)
	}
	return shape, nil
}
