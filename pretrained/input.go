package pretrained

import (
	"fmt"

	"graft/preprocess"
)

// ForeignInput is what a model that graft did not export takes for one image, float32 [1,C,H,W] by the file's channels,
// row-major, with what lies between the image and it. foreign is as in [Options]; its Output and Pool are not looked at.
func (f *File) ForeignInput(foreign *preprocess.Spec, im preprocess.Image) (x []float32, spec preprocess.Spec, err error) {
	if foreign != nil {
		before := *foreign
		before.Output, before.Pool = "", ""
		foreign = &before
	}
	a, err := newForeignInput(f.Header, foreign)
	if err != nil {
		return nil, spec, fmt.Errorf("model %s: %w", f.Path, err)
	}
	im = a.prepare(im)
	x = make([]float32, a.Channels*a.Size*a.Size)
	a.pixels(x, im)
	return x, a.Spec, nil
}
