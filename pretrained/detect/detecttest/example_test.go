package detecttest_test

import (
	"testing"

	"graft/pretrained/detect"
	"graft/pretrained/detect/detecttest"
)

// Tests of what is done with faces need no weights.
func ExampleWrite() {
	_ = func(t *testing.T) {
		d, err := detect.Open(t.Context(), detecttest.Write(t, t.TempDir()), detect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		faces, err := d.Faces(t.Context(), detecttest.Photograph(64, 96, [2]int{1, 0}))
		if err != nil || len(faces) != 1 {
			t.Errorf("%v, %v", faces, err)
		}
	}
}
