package extract_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"graft/preprocess"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// picture writes one PNG of pixels that depend on its name, or something that is none.
func picture(t *testing.T, dir, name string, good bool) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !good {
		fmt.Fprint(f, "\x89PNG\r\n\x1a\nnot really")
		return
	}
	h := fnv.New64()
	fmt.Fprint(h, name)
	rng := rand.New(rand.NewPCG(h.Sum64(), 0))
	im := image.NewRGBA(image.Rect(0, 0, 6, 5))
	for i := range im.Pix {
		im.Pix[i] = uint8(rng.Uint32()) | uint8(i%4/3*255) // opaque
	}
	if err := png.Encode(f, im); err != nil {
		t.Fatal(err)
	}
}

// pictures writes n images of two classes, those in bad no images at all.
func pictures(t *testing.T, n int, bad ...int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pictures")
	for i := range n {
		picture(t, dir, fmt.Sprintf("train/%s/%03d.png", []string{"cat", "dog"}[i%2], i), !slices.Contains(bad, i))
	}
	return dir
}

// twice fails on all batches, on the first of two images last.
type twice struct{ fake }

func (f *twice) Run(_ context.Context, batch []preprocess.Image, _ []string, _ [][]float32) error {
	if len(batch) == 2 {
		time.Sleep(20 * time.Millisecond)
		return errors.New("the first")
	}
	return errors.New("the second")
}

// Of several batches that fail the first is told, whichever was the faster.
func TestTheFirstErrorIsTold(t *testing.T) {
	c := extract.Config{Data: openData(t, pictures(t, 3)), Backbone: &twice{fake{streams: 2}}, Out: filepath.Join(t.TempDir(), "e"), Batch: 2, ShardRows: 4}
	if _, err := extract.Run(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "the first") {
		t.Errorf("%v, want the first batch's error", err)
	}
}

func TestBadPhotosAreRecorded(t *testing.T) {
	dir := pictures(t, 9, 4, 7)
	data := openData(t, dir)
	out := filepath.Join(t.TempDir(), "e")
	c := extract.Config{Data: data, Backbone: &fake{}, Out: out, Batch: 2, ShardRows: 4, Strict: true}
	if _, err := extract.Run(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "4.png") {
		t.Fatalf("strict: %v", err)
	}
	c.Strict = false
	sum, err := extract.Run(context.Background(), c, nil)
	if err != nil || sum.Rows != 7 || sum.State.Rows != 7 || sum.State.Bad != 2 || len(sum.Bad) != 2 {
		t.Fatalf("%+v, %v", sum, err)
	}
	for _, b := range sum.Bad {
		s := data.Samples[b.Index]
		if b != (store.BadRow{Index: b.Index, ID: s.ID, Split: s.Split, Label: s.Label, Reason: b.Reason}) || b.Reason == "" || strings.Contains(b.Reason, dir) {
			t.Errorf("bad %+v of sample %+v", b, s)
		}
	}
	s, err := store.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Bad(), sum.Bad) {
		t.Errorf("the store says %v were left out, the run %v", s.Bad(), sum.Bad)
	}
	if m, err := s.Matrix(nil, "train"); err != nil || len(m.Labels) != 7 || len(m.X) != 14 {
		t.Errorf("%d labels, %d values, %v", len(m.Labels), len(m.X), err)
	}
	c.Strict = true
	if _, err := extract.Run(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "--strict") {
		t.Errorf("going on strictly: %v", err)
	}
}

// What fails for another reason than its bytes stops the run, photos or not.
func TestOtherFaultsStop(t *testing.T) {
	data := openData(t, pictures(t, 6))
	if err := data.Close(); err != nil {
		t.Fatal(err)
	}
	c := extract.Config{Data: data, Backbone: &fake{}, Out: filepath.Join(t.TempDir(), "e")}
	if _, err := extract.Run(context.Background(), c, nil); err == nil {
		t.Error("a closed dataset gave a store")
	}
}

// An image that changes during the run would stand under the fingerprint of what it was.
func TestChangedDuringTheRunIsNoticed(t *testing.T) {
	dir := pictures(t, 8)
	c := extract.Config{Data: openData(t, dir), Out: filepath.Join(t.TempDir(), "e"), Batch: 2, ShardRows: 4}
	c.Backbone = &fake{fail: func(batch int) error {
		if batch == 1 {
			picture(t, dir, "train/dog/007.png", true) // the same
		}
		return nil
	}}
	if _, err := extract.Run(t.Context(), c, nil); err != nil {
		t.Errorf("written again as it was: %v", err)
	}
	c.Out = filepath.Join(t.TempDir(), "e")
	c.Backbone = &fake{fail: func(batch int) error {
		if batch == 1 {
			picture(t, filepath.Join(dir, "train/dog"), "007.png", true) // of other pixels
		}
		return nil
	}}
	if _, err := extract.Run(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "were changed while") {
		t.Errorf("changed: %v", err)
	}
}
