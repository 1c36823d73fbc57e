package judge

import (
	"context"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

// fixed is a classifier whose logits are always the same.
type fixed []float32

func (f fixed) Prepare(im preprocess.Image) preprocess.Image { return im }

func (f fixed) Classify(_ context.Context, images []preprocess.Image, logits []float32) error {
	for i := range images {
		copy(logits[i*len(f):], f)
	}
	return nil
}

func TestBadImagesAreLeftOut(t *testing.T) {
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: runtest.Pictures(t, true)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := stream{model: fixed{1, 0}, data: d, batch: 2, classes: 2}
	a, bad, err := s.answers(context.Background(), "val")
	if err != nil || len(a.Labels) != 3 || len(a.probs) != 6 || !strings.Contains(bad, "1 of the 4 images") || !strings.Contains(bad, "c.png") {
		t.Errorf("answers %+v, note %q, %v", a, bad, err)
	}
}
