package load

import (
	"reflect"
	"slices"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/preprocess"
	"graft/pretrained/store"
)

func TestBothViewsAreReadIntoOneMatrix(t *testing.T) {
	s, err := store.Open(runtest.Store(t, t.TempDir(), runtest.Usual()))
	if err != nil {
		t.Fatal(err)
	}
	taps := []string{"mean", "cls"}
	one, err := ReadFeatures(s, taps, "public-test", false)
	if err != nil {
		t.Fatal(err)
	}
	mirrored, err := s.Matrix(taps, "public-test", true)
	if err != nil {
		t.Fatal(err)
	}
	both, err := ReadFeatures(s, taps, "public-test", true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(both.X, slices.Concat(one.X, mirrored.X)) || slices.Equal(one.X, mirrored.X) {
		t.Error("the features are not the images' and then the mirrored images'")
	}
	if cap(both.X) != len(both.X) || both.Dim != one.Dim {
		t.Errorf("%d values in memory for %d, %d features; want no more memory, and %d features", len(both.X), cap(both.X), both.Dim, one.Dim)
	}
	if !slices.Equal(both.Indices, slices.Concat(one.Indices, one.Indices)) || len(both.Labels) != 120 || len(both.IDs) != 120 {
		t.Errorf("%d indices, %d labels, %d ids; want those of 60 images twice", len(both.Indices), len(both.Labels), len(both.IDs))
	}
	x, rows := both.Examples()
	if !slices.Equal(x.X, one.X) || !slices.Equal(x.Mirrored, mirrored.X) || &x.X[0] != &both.X[0] {
		t.Error("as examples: not the same features, the mirrored ones beside the others")
	}
	if !reflect.DeepEqual(rows, one.Rows) {
		t.Errorf("as examples: rows %+v, want %+v", rows, one.Rows)
	}
}

func TestFitImageMakesRGBOfGray(t *testing.T) {
	if back := FitImage(preprocess.Image{C: 1, H: 1, W: 1, Pix: []uint8{7}}, 3, 1); !slices.Equal(back.Pix, []uint8{7, 7, 7}) {
		t.Errorf("gray to RGB gave %v", back.Pix)
	}
	if back := FitImage(preprocess.New(3, 2, 4), 0, 2); back.C != 3 || len(back.Pix) != 12 {
		t.Errorf("any channels: [%d,%d,%d]", back.C, back.H, back.W)
	}
}
