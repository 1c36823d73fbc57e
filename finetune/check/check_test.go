package check_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/finetune/check"
	"graft/onnx/ort/orttest"
	"graft/onnx/precision"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/vit/vittest"
)

// drawn gives every image of the synthetic set features that tell its class, by
// the first pixels of the image, plus noise: a backbone of no network.
type drawn struct {
	name   string
	noise  float32
	dim    int
	labels map[uint64]int
}

func (d *drawn) Name() string                                 { return d.name }
func (d *drawn) Hash() string                                 { return strings.Repeat("0", 64) }
func (d *drawn) Source() string                               { return "" }
func (d *drawn) Preprocessing() preprocess.Spec               { return preprocess.Spec{} }
func (d *drawn) Precision() string                            { return "float32" }
func (d *drawn) Provider() session.Provider                   { return session.CPU }
func (d *drawn) Parameters() (int64, error)                   { return 0, nil }
func (d *drawn) RuntimeVersion() string                       { return "1" }
func (d *drawn) Taps() []string                               { return []string{"cls"} }
func (d *drawn) Dim(string) int                               { return d.dim }
func (d *drawn) Shape(string) []int                           { return nil }
func (d *drawn) Tensor(string) string                         { return "" }
func (d *drawn) Streams() int                                 { return 1 }
func (d *drawn) DefaultBatch() int                            { return 8 }
func (d *drawn) Prepare(im preprocess.Image) preprocess.Image { return im }

func (d *drawn) Run(_ context.Context, batch []preprocess.Image, _ []string, out [][]float32) error {
	for i, im := range batch {
		key := fingerprint(im)
		rng := rand.New(rand.NewPCG(key, 1))
		for j := range d.dim {
			v := float32(rng.NormFloat64()) * 0.3
			if j == d.labels[key] {
				v += 2
			}
			out[0][i*d.dim+j] = v + d.noise*float32(rng.NormFloat64())
		}
	}
	return nil
}

func fingerprint(im preprocess.Image) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range im.Pix {
		h = (h ^ uint64(p)) * 1099511628211
	}
	return h
}

func synthetic(t testing.TB) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: "synthetic", PerClass: 12, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func storeOf(t testing.TB, d *dataset.Dataset, name string, noise float32, dim int, splits ...string) *store.Store {
	t.Helper()
	b := &drawn{name, noise, dim, map[uint64]int{}}
	for i, s := range d.Samples {
		im, err := d.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		b.labels[fingerprint(im)] = s.Label
	}
	dir := filepath.Join(t.TempDir(), name)
	if _, err := extract.Run(context.Background(), extract.Config{Data: d, Backbone: b, Out: dir, Splits: splits}, nil); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStores(t *testing.T) {
	d := synthetic(t)
	a, b := storeOf(t, d, "a", 0, 8), storeOf(t, d, "b", 4, 8)
	same, err := check.Stores(t.Context(), a, a, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	cls := same.Taps[0]
	if !(cls.MeanCosine > 1-1e-9 && cls.MinCosine > 1-1e-9) || cls.RelativeError != 0 || cls.Dim != 8 {
		t.Errorf("against itself: %+v", cls)
	}
	if len(cls.Probes) != 2 || cls.Probes[0].Split != "public-test" || cls.Probes[0].Loss != 0 || cls.Probes[0].Interval != 0 || !(cls.Probes[0].AccuracyA > 0.9) {
		t.Errorf("probes against itself: %+v", cls.Probes)
	}
	noisy, err := check.Stores(t.Context(), a, b, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	cls = noisy.Taps[0]
	p := cls.Probes[1]
	if !(cls.MeanCosine < 0.9 && cls.MinCosine < cls.MeanCosine && cls.RelativeError > 1) || cls.Worst == "" {
		t.Errorf("with noise: %+v", cls)
	}
	if !(p.Loss > 0.1 && p.Interval > 0.01 && p.Interval < 0.3) || math.Abs(p.Loss-float64(p.CorrectA-p.CorrectB)/float64(p.Images)) > 1e-12 {
		t.Errorf("probe with noise: %+v", p)
	}
	var out bytes.Buffer
	if err := noisy.WriteTable(&out); err != nil || !strings.Contains(out.String(), "public-test") || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "the images of train") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestOneSplit: without a second split a third of the images is held out, and
// too few images mean no probe and a reason.
func TestOneSplit(t *testing.T) {
	d := synthetic(t)
	a := storeOf(t, d, "a", 0, 8, "train")
	r, err := check.Stores(t.Context(), a, a, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Taps[0].Probes; len(p) != 1 || p[0].Split != "hold-out" || p[0].Images+r.Probe.Images != r.Images || !strings.Contains(r.Probe.Train, "held out") {
		t.Errorf("%+v, %+v", p, r.Probe)
	}
	if err := d.Keep([]int{0, 1, 2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	few := storeOf(t, d, "few", 0, 8)
	if r, err = check.Stores(t.Context(), few, few, 1, 0, nil); err != nil || r.Probe.Skipped == "" || r.Taps[0].Probes != nil {
		t.Errorf("few images: %v, %+v", err, r.Probe)
	}
}

func TestStoresRefuses(t *testing.T) {
	d := synthetic(t)
	a := storeOf(t, d, "a", 0, 8)
	for name, c := range map[string]struct {
		other *store.Store
		want  string
	}{
		"other images": {storeOf(t, d, "less", 0, 8, "train"), "images"},
		"other widths": {storeOf(t, d, "wide", 0, 9), "8 and 9 features"},
	} {
		if _, err := check.Stores(t.Context(), a, c.other, 1, 0, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	orttest.Require(t)
	t.Setenv("TMPDIR", t.TempDir()) // other tests leave nothing in it meanwhile
	float := vittest.WriteTiny(t, t.TempDir())
	eight := filepath.Join(t.TempDir(), "int8.onnx")
	if _, err := precision.ConvertFile(float, eight, precision.Int8); err != nil {
		t.Fatal(err)
	}
	r, err := check.Run(t.Context(), check.Config{A: float, B: eight, Data: synthetic(t), Limit: 30, Runtime: session.Options{Provider: session.CPU}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.A.Precision != "float32" || r.B.Precision != "int8" || !(r.A.ImagesPerSecond > 0 && r.B.ImagesPerSecond > 0) || len(r.Taps) != 6 {
		t.Errorf("%+v", r)
	}
	mean, least := 0.995, 0.99
	if precision.Saturates() {
		mean, least = 0.95, 0.9
	}
	for _, tap := range r.Taps {
		if !(tap.MeanCosine > mean && tap.MinCosine > least && tap.MinCosine < 1) {
			t.Errorf("%s: cosine %g, least %g", tap.Name, tap.MeanCosine, tap.MinCosine)
		}
	}
	if _, err := check.Run(t.Context(), check.Config{A: float, B: "nowhere.onnx", Data: synthetic(t), Limit: 2, Runtime: session.Options{Provider: session.CPU}}); err == nil || !strings.Contains(err.Error(), "nowhere.onnx") {
		t.Errorf("missing file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "graft-check-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func ExampleReport_WriteTable() {
	r := check.Report{
		A: check.Side{Name: "vit.onnx", Precision: "float32", Provider: "cpu"}, B: check.Side{Name: "vit.int8.onnx", Precision: "int8", Provider: "cpu"},
		Data: "faces.csv", Images: 40, Probe: check.Probe{Skipped: "one class"},
		Taps: []check.Tap{{Name: "cls", Dim: 192, MeanCosine: 0.9991, MinCosine: 0.9983, RelativeError: 0.0437}},
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// A       vit.onnx, float32 on cpu
	// B       vit.int8.onnx, int8 on cpu
	// images  40 of faces.csv
	// probe   none: one class
	//
	// tap  width  cosine mean  least    relative error
	// cls  192    0.99910      0.99830  4.37e-02
	//
	// B's features are close to A's (mean cosine 0.9991 or more): a head that was
	//   trained on A's takes them. What accuracy they cost is not known, there being
	//   no probes.
}
