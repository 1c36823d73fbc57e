package extract_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"graft/preprocess"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// counting is a backbone that counts the images it is asked for, by tap.
type counting struct {
	fake
	mu     sync.Mutex
	images map[string]int
}

func (f *counting) Run(ctx context.Context, batch []preprocess.Image, taps []string, out [][]float32) error {
	f.mu.Lock()
	for _, t := range taps {
		if f.images == nil {
			f.images = map[string]int{}
		}
		f.images[t] += len(batch)
	}
	f.mu.Unlock()
	return f.fake.Run(ctx, batch, taps, out)
}

// addTo extends the store at out, or makes it, from the photos in dir.
func addTo(t *testing.T, dir, out string, b extract.Backbone, taps ...string) (extract.Summary, error) {
	t.Helper()
	return add(t, extract.Config{Data: openData(t, dir), Backbone: b, Out: out, Taps: taps})
}

func add(t *testing.T, c extract.Config) (sum extract.Summary, err error) {
	t.Helper()
	if c.Taps, err = extract.Missing(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.Batch, c.ShardRows, c.Flip = 2, 4, true
	return extract.Extend(t.Context(), c, nil)
}

// same wants the store to be, file for file, the one that is made at once.
func same(t *testing.T, dir, out string, taps ...string) {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "whole")
	c := extract.Config{Data: openData(t, dir), Backbone: &fake{}, Out: whole, Taps: taps, Batch: 2, ShardRows: 4, Flip: true}
	if _, err := extract.Run(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, whole, out)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".graft*")); len(left) > 0 {
		t.Errorf("left beside the store: %v", left)
	}
}

func TestExtend(t *testing.T) {
	dir, out := pictures(t, 9), filepath.Join(t.TempDir(), "e")
	if sum, err := addTo(t, dir, out, &fake{}, "cls"); err != nil || sum.Reused != 0 || sum.Rows != 9 {
		t.Fatalf("begun: %+v, %v", sum, err)
	}
	b := &counting{}
	sum, err := addTo(t, dir, out, b, "mean", "tokens_1")
	if err != nil || sum.Reused != 9 || sum.Rows != 9 || sum.Store != out || len(b.images) != 2 || b.images["mean"] != 18 || b.images["tokens_1"] != 18 {
		t.Errorf("two taps more: %+v, %v, computed %v; want 9 images of the new taps in both views", sum, err, b.images)
	}
	same(t, dir, out, "cls", "mean", "tokens_1")

	for i := 9; i < 13; i++ {
		picture(t, dir, fmt.Sprintf("train/%s/0%02d-new.png", []string{"cat", "dog"}[i%2], 13-i), true) // between the others
	}
	b = &counting{}
	if sum, err := addTo(t, dir, out, b); err != nil || sum.Reused != 9 || sum.Rows != 13 || b.images["cls"] != 8 || b.images["tokens_1"] != 8 {
		t.Errorf("four images more: %+v, %v, computed %v; want 4 in both views", sum, err, b.images)
	}
	same(t, dir, out, "cls", "mean", "tokens_1")

	b = &counting{}
	if sum, err := addTo(t, dir, out, b, "mean"); err != nil || sum.Reused != 0 || b.images != nil {
		t.Errorf("nothing more: %+v, %v, computed %v", sum, err, b.images)
	}
	same(t, dir, out, "cls", "mean", "tokens_1")
}

// An extension that is broken off leaves the store as it was, and is gone on with.
func TestExtendBrokenOff(t *testing.T) {
	dir, out := pictures(t, 9), filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	before := files(t, out)
	stop := errors.New("stop")
	broken := &fake{fail: func(batch int) error { return map[bool]error{true: stop}[batch > 8] }}
	if _, err := addTo(t, dir, out, broken, "mean"); !errors.Is(err, stop) {
		t.Fatalf("got %v, want it to stop", err)
	}
	for name, data := range files(t, out) {
		if !slices.Equal(before[name], data) {
			t.Errorf("%s changed", name)
		}
	}
	b := &counting{}
	if sum, err := addTo(t, dir, out, b, "mean"); err != nil || sum.Resumed == 0 || b.images["mean"] >= 18 {
		t.Errorf("gone on: %+v, %v, computed %v", sum, err, b.images)
	}
	same(t, dir, out, "cls", "mean")
}

// A kill between the two renames leaves neither store at its place; the next run puts the new one there.
func TestExtendKilledAtTheSwap(t *testing.T) {
	dir, out := pictures(t, 5), filepath.Join(t.TempDir(), "e")
	beside := filepath.Join(filepath.Dir(out), ".graft-tmp-extend-e-")
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(beside+"old", os.DirFS(out)); err != nil {
		t.Fatal(err)
	}
	if _, err := addTo(t, dir, filepath.Join(filepath.Dir(out), "other"), &fake{}, "cls", "mean"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(out), os.Rename(filepath.Join(filepath.Dir(out), "other"), beside+"next")); err != nil {
		t.Fatal(err)
	}
	b := &counting{}
	if _, err := addTo(t, dir, out, b, "mean"); err != nil {
		t.Fatal(err)
	}
	same(t, dir, out, "cls", "mean")
}

// What a store fixes is fixed for an extension too, and the way to one is told where it would do.
func TestExtendRefuses(t *testing.T) {
	dir, out := pictures(t, 5), filepath.Join(t.TempDir(), "e")
	if _, err := addTo(t, dir, out, &fake{}, "cls"); err != nil {
		t.Fatal(err)
	}
	c := extract.Config{Data: openData(t, dir), Backbone: &fake{}, Out: out, Taps: []string{"cls", "mean"}, Batch: 2, ShardRows: 4, Flip: true}
	if _, err := extract.Run(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "--extend") {
		t.Errorf("without being asked to extend: %v", err)
	}
	c.DType = "float16"
	var other *store.MismatchError
	if _, err := extract.Extend(t.Context(), c, nil); !errors.As(err, &other) || strings.Contains(err.Error(), "--extend") {
		t.Errorf("another type: %v", err)
	}
	c.DType, c.Part = "", store.Part{I: 0, N: 2}
	if _, err := extract.Extend(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "neither in parts") {
		t.Errorf("in parts: %v", err)
	}
}
