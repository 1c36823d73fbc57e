package detect_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/detect"
	"graft/pretrained/detect/detecttest"
	"graft/pretrained/vit/vittest"
)

func Example() {
	ctx := context.Background()
	d, err := detect.Open(ctx, "models/yunet.onnx", detect.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	photograph := preprocess.New(3, 480, 640)
	faces, err := d.Faces(ctx, photograph)
	for _, f := range faces {
		fmt.Printf("%.0f%% at %.0f,%.0f\n", 100*f.Score, f.X, f.Y)
		_ = detect.Crop(photograph, f) // 48×48, gray
	}
	fmt.Println(err)
	// Output: stat models/yunet.onnx: no such file or directory; graft model pull yunet fetches the detector of faces
}

// open opens the detector of white squares on graft's own engine, which every machine has.
func open(t *testing.T, o detect.Options) *detect.Detector {
	t.Helper()
	o.Runtime.Provider = session.Go
	d, err := detect.Open(t.Context(), detecttest.Write(t, t.TempDir()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestFaces: boxes and landmarks are in the photograph's pixels, whatever its size, and were it made smaller first.
func TestFaces(t *testing.T) {
	for _, tc := range []struct {
		side, h, w int
		cells      [][2]int
	}{
		{640, 70, 100, [][2]int{{0, 0}, {2, 1}}},
		{640, 32, 32, [][2]int{{0, 0}}},
		{640, 33, 31, nil},
		{640, 5, 500, nil},
	} {
		faces, err := open(t, detect.Options{Side: tc.side}).Faces(t.Context(), detecttest.Photograph(tc.h, tc.w, tc.cells...))
		if err != nil || len(faces) != len(tc.cells) {
			t.Fatalf("%+v: %v, %v", tc, faces, err)
		}
		for i, c := range tc.cells {
			wantFace(t, faces[i], float32(c[0]*detecttest.Cell), float32(c[1]*detecttest.Cell), detecttest.Cell)
		}
	}
	big := preprocess.New(1, 256, 512) // gray; half as large it has one white cell
	for y := range 64 {
		for x := range 64 {
			big.Pix[(64+y)*512+128+x] = 255
		}
	}
	faces, err := open(t, detect.Options{Side: 256}).Faces(t.Context(), big)
	if err != nil || len(faces) != 1 {
		t.Fatalf("%v, %v", faces, err)
	}
	wantFace(t, faces[0], 128, 64, 64)
}

func wantFace(t *testing.T, f detect.Face, x, y, side float32) {
	t.Helper()
	for _, p := range append(f.Landmarks[:], detect.Point{X: f.X + side/2, Y: f.Y + side/2}) {
		if !(math.Abs(float64(p.X-x-side/2)) < 1e-3) || !(math.Abs(float64(p.Y-y-side/2)) < 1e-3) {
			t.Errorf("%+v, want a box at %g,%g", f, x, y)
		}
	}
	if f.Width != side || f.Height != side || !(f.Score > 0.99 && f.Score <= 1) {
		t.Errorf("%+v, want a box of %g", f, side)
	}
}

// TestCrop: the square around a box, gray, of FER2013's size; where the photograph ends its edge goes on.
func TestCrop(t *testing.T) {
	im := preprocess.New(3, 120, 200)
	for i := range im.Pix {
		im.Pix[i] = uint8(i % 200)
	}
	for _, tc := range []struct {
		face        detect.Face
		left, right int
	}{
		{detect.Face{X: 60, Y: 30, Width: 40, Height: 48}, 56, 103},
		{detect.Face{X: 60, Y: 0, Width: 40, Height: 96}, 32, 127},
		{detect.Face{X: -20, Y: 30, Width: 40, Height: 48}, 0, 23},
		{detect.Face{X: -1e6, Y: -1e6, Width: 10, Height: 1e7}, 0, 0},
	} {
		c := detect.Crop(im, tc.face)
		if c.C != 1 || c.H != detect.Side || c.W != detect.Side {
			t.Fatalf("%+v: [%d,%d,%d]", tc, c.C, c.H, c.W)
		}
		if l, r := int(c.Pix[24*48]), int(c.Pix[24*48+47]); l < tc.left || l > tc.left+1 || r < tc.right-1 || r > tc.right {
			t.Errorf("%+v: from %d to %d", tc, l, r)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	vit := vittest.WriteTiny(t, dir)
	text := filepath.Join(dir, "text.onnx")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]struct {
		path string
		detect.Options
	}{
		"want input float32 [1,3,H,W]; graft model pull yunet": {path: vit},
		"text.onnx":                    {path: text},
		"graft model pull yunet":       {path: filepath.Join(dir, "none.onnx")},
		"score of faces 2":             {vit, detect.Options{Score: 2}},
		"overlap of faces -1":          {vit, detect.Options{Overlap: -1}},
		"photographs of 9 pixels":      {vit, detect.Options{Side: 9}},
		"photographs of 100000 pixels": {vit, detect.Options{Side: 100000}},
		"-1 faces":                     {vit, detect.Options{TopK: -1}},
	} {
		if _, err := detect.Open(t.Context(), o.path, o.Options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
