package ship

import (
	"fmt"
	"image"
	"math"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"graft/finetune/internal/runtest"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained"
	"graft/pretrained/vit"
	"graft/pretrained/vit/vittest"
)

// photographs of many sizes and shapes, gray and colour, as smooth as photographs are.
func somePhotographs() (list []preprocess.Image) {
	for _, size := range [][3]int{{3, 20, 20}, {1, 32, 32}, {3, 48, 48}, {1, 37, 100}, {3, 131, 64}, {3, 64, 64}, {3, 9, 120}, {1, 90, 2}, {3, 32, 16}, {3, 301, 200}} {
		small := &image.NRGBA{Pix: randomBytes(7 * 9 * 4), Stride: 7 * 4, Rect: image.Rect(0, 0, 7, 9)}
		for i := 3; i < len(small.Pix); i += 4 {
			small.Pix[i] = 255
		}
		im := preprocess.FromImage(imaging.Resize(small, size[2], size[1], imaging.CatmullRom))
		if size[0] == 1 {
			im = im.Gray()
		}
		list = append(list, im)
	}
	return list
}

// compareWhole checks that a file of whole images says of photographs of any size what the run says, on ONNX Runtime and on
// graft's own engine.
func compareWhole(t *testing.T, dir string, most float64) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "whole.onnx")
	e, err := Export(t.Context(), Config{Run: dir, Out: out, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Inputs) != 1 || e.Inputs[0][len(e.Inputs[0])-15:] != "uint8 [N,H,W,C]" {
		t.Errorf("inputs %v", e.Inputs)
	}
	want := openTest(t, dir)
	seen := map[string]bool{}
	for _, provider := range []session.Provider{session.CPU, session.Go} {
		got, err := model.Open(t.Context(), out, model.Options{Runtime: session.Options{Provider: provider}})
		if err != nil {
			t.Fatal(err)
		}
		for i, im := range somePhotographs() {
			if provider == session.Go && i%3 > 0 { // which compiles a program for each size
				continue
			}
			a, err1 := want.Image(t.Context(), im)
			b, err2 := got.Image(t.Context(), im)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			seen[fmt.Sprintf("%.5f", a)] = true
			for k := range a {
				if d := math.Abs(float64(a[k] - b[k])); !(d <= most) {
					t.Errorf("%s, [%d,%d,%d], class %d: %g in the file, %g in the pipeline", provider, im.C, im.H, im.W, k, b[k], a[k])
				}
			}
		}
		if err := got.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(seen) < 3 {
		t.Errorf("photographs got %d answers; the comparison shows nothing", len(seen))
	}
}

// TestWholeImages: heads on graft's own backbones, square and oblong, cropped and not, and on foreign ones in gray and colour.
func TestWholeImages(t *testing.T) {
	orttest.Require(t)
	oblong := vittest.Config
	oblong.Across = 16
	for name, c := range map[string]vit.Config{"square": vittest.Config, "oblong": oblong} {
		t.Run(name, func(t *testing.T) {
			compareWhole(t, makeRun(t, vittest.Write(t, t.TempDir(), c, 3), nil, []string{"cls", "mean_1"}, c.Across == 0), 1e-3)
		})
	}
	for _, channels := range []int64{1, 3} {
		t.Run(fmt.Sprint("foreign", channels), func(t *testing.T) {
			f := &preprocess.Spec{Size: 8, Crop: 0.875, Normalization: preprocess.ImageNet, Output: "embedding"}
			compareWhole(t, makeRun(t, foreignOf(t, channels), f, []string{pretrained.FeaturesTap}, channels == 3), 1e-3)
		})
	}
}

// foreignOf is writeForeign's plainest with a number of channels.
func foreignOf(t *testing.T, channels int64) string {
	t.Helper()
	if channels == 3 {
		return writeForeign(t, 2, 13)
	}
	m := &onnx.Model{Name: "gray", Opset: 13}
	b := onnx.NewBuilder(m)
	n := onnx.Dim{Name: "N"}
	in := b.Input("input", onnx.Float32, n, onnx.Dim{Value: 1}, onnx.Dim{Value: 8}, onnx.Dim{Value: 8})
	flat := b.Op("Flatten", "flat", []string{in})
	weight := make([]float32, 64*24)
	for i := range weight {
		weight[i] = float32(i*i%17)/50 - 0.16
	}
	b.Output("embedding", b.Op("MatMul", "projected", []string{flat, b.Float32s("weight", weight, 64, 24)}), onnx.Float32, n, onnx.Dim{Value: 24})
	path := filepath.Join(t.TempDir(), "gray.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWholeImagesOfNetworks: networks trained from scratch, of gray and of RGB, resized to and cropped.
func TestWholeImagesOfNetworks(t *testing.T) {
	orttest.Require(t)
	colour := nets.CNN{Arch: nets.ArchResidual, Side: 16, Channels: 3, Outputs: 4, Stem: 4, Stages: []int{4, 8}, Blocks: 2, Squeeze: 2}
	for name, c := range map[string]struct {
		net nets.Net
		p   run.PixelsRecord
	}{
		"gray":    {nets.StudyCNN(4), run.PixelsRecord{Side: 48, Fit: run.FitResize, Mirror: true}},
		"colour":  {colour, run.PixelsRecord{Side: 20, Fit: run.FitResize}},
		"cropped": {colour, run.PixelsRecord{Side: 21, Fit: run.FitCrop}},
	} {
		t.Run(name, func(t *testing.T) { compareWhole(t, networkRun(t, c.net, c.p), 1e-3) })
	}
}

// networkRun writes a run of a network with drawn weights.
func networkRun(t *testing.T, net nets.Net, p run.PixelsRecord) string {
	t.Helper()
	r := &run.Run{Dir: t.TempDir(), Weights: perturbed(net), Config: run.Config{Format: "graft-run-1", Kind: net.Kind(), Classes: []string{"a", "b", "c", "d"}, Pixels: &p, Net: net}}
	if err := r.SaveModel(); err != nil {
		t.Fatal(err)
	}
	return r.Dir
}

// TestNetworksTakeAnyPixels: exported networks have the input of exported heads: bytes of any size, gray or RGB.
func TestNetworksTakeAnyPixels(t *testing.T) {
	orttest.Require(t)
	dir := networkRun(t, nets.StudyCNN(4), run.PixelsRecord{Side: 48, Fit: run.FitResize})
	out := filepath.Join(t.TempDir(), "net.onnx")
	e, err := Export(t.Context(), Config{Run: dir, Out: out})
	if err != nil || e.Inputs[0] != "pixels uint8 [N,C,H,W]" {
		t.Fatalf("inputs %v, %v", e.Inputs, err)
	}
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	gray := randomBytes(48 * 48)
	want := runtime(t, m, gray, 1, 4, 1, 48, 48)
	near(t, "three equal channels", runtime(t, m, append(append(append([]uint8{}, gray...), gray...), gray...), 1, 4, 3, 48, 48), want, 1e-5)
	double := make([]uint8, 4*len(gray)) // shrinks to what is nearly the same
	for i := range double {
		double[i] = gray[i/96/2*48+i%96/2]
	}
	near(t, "twice as large", runtime(t, m, double, 1, 4, 1, 96, 96), want, 0.2)
	checkPixels(t, out)
	// Files of before took one size and number of channels.
	m.Inputs[0].Dims = []onnx.Dim{{Name: "N"}, {Value: 1}, {Value: 48}, {Value: 48}}
	before := filepath.Join(t.TempDir(), "before.onnx")
	if err := m.WriteFile(before); err != nil {
		t.Fatal(err)
	}
	now, then, r := openTest(t, out), openTest(t, before), openTest(t, dir)
	for _, im := range somePhotographs() {
		want, err := r.Image(t.Context(), im)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*model.Predictor{now, then} {
			got, err := p.Image(t.Context(), im)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "a photograph", got, want, 1e-5)
		}
	}
}

func TestWholeImagesRefuse(t *testing.T) {
	f := &preprocess.Spec{Size: 8, Crop: 1, Normalization: preprocess.ImageNet, Output: "embedding"}
	backbone := writeForeign(t, 2, 11)
	dir := makeRun(t, backbone, f, []string{pretrained.FeaturesTap}, false)
	_, err := Export(t.Context(), Config{Run: dir, Out: filepath.Join(t.TempDir(), "x.onnx"), Whole: true})
	runtest.WantError(t, err, backbone, "operator set 11", "13 or later")
}
