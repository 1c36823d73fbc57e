package show

import (
	"errors"
	"slices"
	"testing"

	"graft/finetune/model"
	"graft/preprocess"
	"graft/pretrained/foreigntest"
)

// TestWatcher: the evidence of one image after another, of several shapes, is that of a look at each alone.
func TestWatcher(t *testing.T) {
	photo := photograph(t, t.TempDir())
	foreigntest.Each(t, "../../graph/raise/testdata", func(t *testing.T, n foreigntest.Network) {
		if !slices.Contains([]string{"vit", "resnet_basic", "swin"}, n.Name) {
			return
		}
		c := Config{Model: n.Path, Image: photo, Foreign: &preprocess.Spec{Size: 32, Normalization: preprocess.Half}, Class: "1"}
		want, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		im, err := model.ReadImage(t.Context(), photo)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWatcher(c)
		defer w.Close()
		for i, im := range []preprocess.Image{im, im.Mirror(), im} {
			e, seen, err := w.Evidence(t.Context(), im)
			if n.Name == "swin" {
				if !errors.Is(err, ErrNoEvidence) {
					t.Errorf("windows: %v", err)
				}
				continue
			}
			if err != nil || seen != want.Seen || e.Class != want.Evidence.Class || e.Rows*e.Columns != len(e.Values) {
				t.Fatalf("%+v of %v (%v)", e, seen, err)
			}
			if i != 1 {
				near(t, "evidence", e.Values, want.Evidence.Values)
			}
		}
	})
}
