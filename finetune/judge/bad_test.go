package judge

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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

// closing closes the dataset when the first image is there, and takes its time to classify it.
type closing struct {
	fixed
	data *dataset.Dataset
	err  error
}

func (c closing) Prepare(im preprocess.Image) preprocess.Image {
	_ = c.data.Close()
	return im
}

func (c closing) Classify(context.Context, []preprocess.Image, []float32) error {
	time.Sleep(20 * time.Millisecond)
	return c.err
}

// The second batch cannot be read, which shows before the first is classified.
func TestTheFirstErrorIsTold(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{{errors.New("the first batch failed"), "the first batch failed"}, {nil, "closed"}} {
		d, err := dataset.Open(context.Background(), dataset.Ref{Path: runtest.Pictures(t, false)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := stream{model: closing{fixed{1, 0}, d, c.err}, data: d, batch: 1, classes: 2}
		if _, _, err := s.answers(context.Background(), "val"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
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
