package ship

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/pretrained"
	"graft/pretrained/vit/vittest"
)

// TestEvidence: the further outputs are each block's attention, whose rows are shares of one, or a cnn's last maps; what the
// model says stays the same to the bit.
func TestEvidence(t *testing.T) {
	orttest.Require(t)
	for name, c := range map[string]struct {
		dir   string
		want  []string
		shape []int64
	}{
		"head": {makeRun(t, vittest.WriteTiny(t, t.TempDir()), nil, []string{"cls", "mean_1"}, true), []string{"attention_0", "attention_1"}, []int64{2, 17, 17}},
		"cnn":  {networkRun(t, nets.StudyCNN(4), run.PixelsRecord{Side: 48, Fit: run.FitResize}), []string{"maps"}, []int64{1, 10, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			plain, rich := filepath.Join(t.TempDir(), "plain.onnx"), filepath.Join(t.TempDir(), "rich.onnx")
			_, err1 := Export(t.Context(), Config{Run: c.dir, Out: plain, Whole: true})
			_, err2 := Export(t.Context(), Config{Run: c.dir, Out: rich, Whole: true, Evidence: true})
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			f, err := pretrained.OpenFile(rich)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range f.Header.Outputs[2:] {
				got = append(got, o.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("outputs %v, want %v", got, c.want)
			}
			a, b := outputsOf(t, plain, "probabilities", []int64{1, 4}), outputsOf(t, rich, "probabilities", []int64{1, 4})
			if !slices.Equal(a, b) {
				t.Errorf("probabilities %v with evidence, %v without", b, a)
			}
			for _, name := range got {
				checkPlaces(t, name, outputsOf(t, rich, name, c.shape), int(c.shape[2]))
			}
		})
	}
}

// checkPlaces wants rows of attention to be shares of one, and maps to be positive.
func checkPlaces(t *testing.T, name string, v []float32, width int) {
	t.Helper()
	for row := range slices.Chunk(v, width) {
		sum := 0.0
		for _, x := range row {
			if sum += float64(x); !(x >= 0) {
				t.Fatalf("%s: %g", name, x)
			}
		}
		if strings.HasPrefix(name, OutAttention) && !(math.Abs(sum-1) < 1e-5) {
			t.Fatalf("%s: a row adds up to %g", name, sum)
		}
	}
	if slices.Max(v) == slices.Min(v) {
		t.Errorf("%s tells no places apart", name)
	}
}

// outputsOf runs a file of whole images on one photograph.
func outputsOf(t *testing.T, path, output string, shape []int64) []float32 {
	t.Helper()
	s, err := pretrained.OpenSession(t.Context(), path, session.Options{Provider: session.CPU, Outputs: []string{output}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	im := somePhotographs()[4]
	pixels := make([]uint8, 0, len(im.Pix))
	for i := range im.H * im.W {
		for c := range 3 {
			pixels = append(pixels, im.Pix[c*im.H*im.W+i])
		}
	}
	size := int64(1)
	for _, d := range shape {
		size *= d
	}
	out := make([]float32, size)
	err = s.Run(t.Context(), []session.Tensor{{Name: "pixels", Shape: []int64{1, int64(im.H), int64(im.W), 3}, Data: pixels}},
		[]session.Tensor{{Name: output, Shape: shape, Data: out}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
