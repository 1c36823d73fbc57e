package extract_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/internal/diskspace"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

func runTo(t *testing.T, c extract.Config, dir string) *store.Store {
	t.Helper()
	c.Out = filepath.Join(t.TempDir(), dir)
	if _, err := extract.Run(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A view is the features of the image changed by seed, position and view alone: whatever
// the batch, the shard and the number of inferences at once, and of the train split only.
func TestViews(t *testing.T) {
	data := faces(t, 30)
	v := store.Views{Count: 4, Seed: 9, Augment: extract.ViewAugment}
	for _, c := range []extract.Config{
		{Backbone: &fake{}, Batch: 3, ShardRows: 8, Flip: true},
		{Backbone: &fake{streams: 3}, Batch: 7, ShardRows: 100},
	} {
		c.Data, c.Taps, c.Views = data, []string{"mean,tokens_1"}, v
		s := runTo(t, c, "e")
		if m := s.Manifest(); m.Taps[1].DType != store.Float16 || m.Taps[1].Tensor != "inner" || m.DType != store.Float32 || *m.Views != v {
			t.Errorf("manifest %+v", m)
		}
		tokens, err := s.Tokens("mean")
		if err != nil {
			t.Fatal(err)
		}
		defer tokens.Close()
		changed := 0
		for i, r := range s.Rows() {
			im, err := data.Image(t.Context(), r.Index)
			if err != nil {
				t.Fatal(err)
			}
			for view := tokens.FixedViews(); view < 4; view++ {
				got := make([]float32, 3)
				if err := tokens.Read(got, i, view); r.Split != dataset.Train || err != nil {
					if r.Split == dataset.Train || err == nil {
						t.Fatalf("row %d of %s, view %d: %v", i, r.Split, view, err)
					}
					continue
				}
				want, err := v.Augment.Image(im, 9, view, r.Index)
				if err != nil || !slices.Equal(got, features(want, 3)) {
					t.Fatalf("row %d, view %d: %v, want %v (%v)", i, view, got, features(want, 3), err)
				}
				if !slices.Equal(want.Pix, im.Pix) {
					changed++
				}
			}
		}
		if changed < 20 {
			t.Errorf("%d views differ from the images", changed)
		}
	}
}

// Other views are another store, and the refusal says what differs.
func TestOtherViewsAreRefused(t *testing.T) {
	c := extract.Config{Data: faces(t, 12), Backbone: &fake{}, Views: store.Views{Count: 3, Seed: 1, Augment: extract.ViewAugment}, Out: filepath.Join(t.TempDir(), "e")}
	if _, err := extract.Run(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(v *store.Views){
		"this run wants 3 by hflip,shift=0.06,rotate=12,scale=0.15,contrast=0.3, seed 2": func(v *store.Views) { v.Seed = 2 },
		"this run wants 3 by rotate=9, seed 1":                                           func(v *store.Views) { v.Augment = augment.Pipeline{Rotate: 9} },
		"this run wants 2 by":                                                            func(v *store.Views) { v.Count = 2 },
		"this run wants none":                                                            func(v *store.Views) { *v = store.Views{} },
	} {
		d := c
		change(&d.Views)
		var other *store.MismatchError
		if _, err := extract.Run(t.Context(), d, nil); !errors.As(err, &other) || len(other.Differences) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c.Out, c.Splits = filepath.Join(t.TempDir(), "f"), []string{"public-test"}
	if _, err := extract.Run(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "views are of the train split") {
		t.Errorf("views of no row: %v", err)
	}
	c.Views.Count, c.Flip = 1, true
	if _, err := extract.Run(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "1 views") {
		t.Errorf("fewer views than with flip: %v", err)
	}
	c.Views.Count = 2
	if s := runTo(t, c, "g"); s.Manifest().Views != nil {
		t.Errorf("the image and its mirror image: %+v", s.Manifest().Views)
	}
}

// vast is a backbone with 128 MB of tokens an image.
type vast struct{ fake }

func (*vast) Dim(string) int     { return 1 << 26 }
func (*vast) Shape(string) []int { return []int{1 << 16, 1 << 10} }
func (*vast) Run(context.Context, []preprocess.Image, []string, [][]float32) error {
	return errors.New("it ran")
}

// What does not fit on the disk is refused with the numbers, before anything is written.
func TestWhatDoesNotFit(t *testing.T) {
	c := extract.Config{Data: faces(t, 30), Backbone: &vast{}, Taps: []string{"tokens_1"}, Flip: true, Out: filepath.Join(t.TempDir(), "e"),
		Views: store.Views{Count: 1000, Augment: extract.ViewAugment}}
	need := int64(1<<27) * (2*30 + 998*20)
	if free, err := diskspace.Free(c.Out); err != nil || free >= need {
		t.Skipf("%d bytes free (%v)", free, err)
	}
	_, err := extract.Run(t.Context(), c, nil)
	if err == nil || !strings.Contains(err.Error(), "30 images (20 of the train split) take "+fmt.Sprintf("%.3g GB", float64(need)/1e9)) || !strings.Contains(err.Error(), "fewer views") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(c.Out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refusal left the folder: %v", err)
	}
	var notes []string
	c.Backbone, c.Views.Count, c.Note = &fake{}, 4, func(s string) { notes = append(notes, s) }
	if _, err := extract.Run(t.Context(), c, nil); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "e-06 GB will be written") {
		t.Errorf("notes %q, %v", notes, err)
	}
}

// Tokens of a backbone, for a training that reads them batch by batch.
func ExampleRun_tokens() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	path := filepath.Join(dir, "vit.onnx")
	network, _ := vit.RandomConfig(vittest.Config, 1)
	_ = network.Export(ctx, path, vit.ExportOptions{Version: "1"})
	taps := []string{"tokens_1,cls_1"} // and a vector of a frozen block for the head
	b, err := pretrained.Open(ctx, path, pretrained.Options{Taps: taps, Runtime: session.Options{Provider: session.Go}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	data, _ := dataset.Open(ctx, dataset.Ref{Path: "synthetic", PerClass: 2}, nil)
	defer data.Close()
	_, err = extract.Run(ctx, extract.Config{
		Data: data, Backbone: b, Out: filepath.Join(dir, "e"), Taps: taps, Flip: true,
		Views: store.Views{Count: 4, Seed: 1, Augment: extract.ViewAugment},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ := store.Open(filepath.Join(dir, "e"))
	tokens, _ := s.Tokens("tokens_1")
	defer tokens.Close()
	batch := make([]float32, 17*32)
	fmt.Println(tokens.Shape(), tokens.Views(), tokens.Read(batch, 0, 3)) // row 0, the second of the changed views
	// Output: [17 32] 4 <nil>
}
