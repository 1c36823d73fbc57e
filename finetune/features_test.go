package finetune

import (
	"slices"
	"testing"

	"graft/pretrained/store"
)

func TestLoadBothReadsIntoOneMatrix(t *testing.T) {
	s, err := store.Open(makeStore(t, t.TempDir(), usual()))
	if err != nil {
		t.Fatal(err)
	}
	taps := []string{"mean", "cls"}
	one, err := loadFeatures(s, taps, "public-test")
	if err != nil {
		t.Fatal(err)
	}
	mirrored, err := loadMirrored(s, taps, "public-test")
	if err != nil {
		t.Fatal(err)
	}
	both, err := loadBoth(s, taps, "public-test")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(both.x, slices.Concat(one.x, mirrored)) || slices.Equal(one.x, mirrored) {
		t.Error("the features are not the images' and then the mirrored images'")
	}
	if cap(both.x) != len(both.x) || both.dim != one.dim {
		t.Errorf("%d values in memory for %d, %d features; want no more memory, and %d features", len(both.x), cap(both.x), both.dim, one.dim)
	}
	if !slices.Equal(both.indices, slices.Concat(one.indices, one.indices)) || len(both.labels) != 120 || len(both.ids) != 120 {
		t.Errorf("%d indices, %d labels, %d ids; want those of 60 images twice", len(both.indices), len(both.labels), len(both.ids))
	}
}
