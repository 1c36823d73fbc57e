package detect

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// TestDecodeIsOpenCVs: of random outputs of the network, many of whose boxes overlap, decoding and suppression leave the faces
// that OpenCV's leave, in its order. scripts/check_faces.py --fixture made the file.
func TestDecodeIsOpenCVs(t *testing.T) {
	data, err := os.ReadFile("testdata/opencv.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		H, W    int
		Outputs map[string][]float32
		Cases   []struct {
			Score, Overlap float64
			TopK           int `json:"top_k"`
			Faces          [][15]float64
		}
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	o := output{h: f.H, w: f.W}
	for _, name := range outputs() {
		o.values = append(o.values, f.Outputs[name])
	}
	for _, c := range f.Cases {
		got := suppress(o.decode(float32(c.Score)), Options{Overlap: c.Overlap, TopK: c.TopK})
		if len(got) != len(c.Faces) || len(got) < 5 {
			t.Errorf("score %g, overlap %g, %d boxes: %d faces, OpenCV has %d", c.Score, c.Overlap, c.TopK, len(got), len(c.Faces))
			continue
		}
		for i, want := range c.Faces {
			row := []float32{got[i].X, got[i].Y, got[i].Width, got[i].Height}
			for _, p := range got[i].Landmarks {
				row = append(row, p.X, p.Y)
			}
			for k, v := range append(row, got[i].Score) {
				if !(math.Abs(float64(v)-want[k]) <= 2e-3) {
					t.Errorf("score %g: face %d is %v, OpenCV's %v", c.Score, i, got[i], want)
					break
				}
			}
		}
	}
}

// TestSuppressDropsWhatIsNoBox: numbers without bounds end nothing.
func TestSuppressDropsWhatIsNoBox(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	faces := []Face{{Width: inf, Height: 1, Score: 0.9}, {X: nan, Width: 1, Height: 1, Score: 0.8}, {Width: 2, Height: 2, Score: 0.7}, {Score: 0.6}, {Score: 0.5}}
	got := suppress(faces, Options{Overlap: DefaultOverlap, TopK: 4})
	if len(got) != 2 || got[0].Score != 0.7 || got[1].Score != 0.6 {
		t.Errorf("left %v", got)
	}
	if !slices.IsSortedFunc(got, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) }) {
		t.Error("not sorted")
	}
	o := output{h: 32, w: 32}
	for range outputs() {
		o.values = append(o.values, slices.Repeat([]float32{nan}, 160))
	}
	if got := o.decode(0.5); len(got) != 0 {
		t.Errorf("of no numbers %v", got)
	}
}
