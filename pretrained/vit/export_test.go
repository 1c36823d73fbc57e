package vit

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained/checkpoint"
)

// fixtures are the checkpoints of testdata and what a reference implementation
// makes of the images (scripts/fixtures_vit.py, scripts/fixtures_vit_families.py).
var fixtures = []struct {
	weights, expected string
	family            string
	image             int // to interpolate to; 0: the checkpoint's
	normalization     preprocess.Normalization
	activation        Activation // "": the family's
	taps              string     // all outputs but those of the blocks
}{
	{"torchvision.pth", "torchvision", "torchvision", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"torchvision_legacy.pth", "torchvision", "torchvision", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"torchvision.pth", "torchvision_48", "torchvision", 48, preprocess.ImageNet, "", "cls mean logits"},
	{"timm.safetensors", "timm", "timm", 0, preprocess.Half, "", "cls mean logits"},
	{"timm.safetensors", "timm_48", "timm", 48, preprocess.Half, "", "cls mean logits"},
	{"dino.pth", "dino", "timm", 0, preprocess.ImageNet, "", "cls mean"},
	{"huggingface.safetensors", "huggingface", "huggingface", 0, preprocess.Half, "", "cls mean logits"},
	{"huggingface_bare.safetensors", "huggingface", "huggingface", 0, preprocess.Half, "", "cls mean"},
	{"clip_openai.pt", "clip", "openai", 0, preprocess.CLIP, "", "cls mean proj"},
	{"clip_openai.pt", "clip_gelu", "openai", 0, preprocess.CLIP, GELU, "cls mean proj"},
	{"clip_huggingface.safetensors", "clip", "huggingface-clip", 0, preprocess.CLIP, "", "cls mean proj"},
	{"clip_timm.safetensors", "clip_timm", "timm", 0, preprocess.CLIP, "", "cls mean logits"},
	{"deit.safetensors", "deit", "timm", 0, preprocess.ImageNet, "", "cls mean dist logits"},
	{"deit.safetensors", "deit_48", "timm", 48, preprocess.ImageNet, "", "cls mean dist logits"},
	{"deit_huggingface.safetensors", "deit_huggingface", "huggingface", 0, preprocess.ImageNet, "", "cls mean dist logits"},
	{"dinov2.pth", "dinov2", "dinov2", 0, preprocess.ImageNet, "", "cls mean"},
	{"dinov2.pth", "dinov2_42", "dinov2", 42, preprocess.ImageNet, "", "cls mean"},
	{"dinov2.pth", "dinov2_14", "dinov2", 14, preprocess.ImageNet, "", "cls mean"},
	{"dinov2_huggingface.safetensors", "dinov2", "huggingface-dinov2", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"dinov2_huggingface.safetensors", "dinov2_huggingface_42", "huggingface-dinov2", 42, preprocess.ImageNet, "", "cls mean logits"},
	{"dinov2_huggingface.safetensors", "dinov2_huggingface_14", "huggingface-dinov2", 14, preprocess.ImageNet, "", "cls mean logits"},
	{"fc_norm.safetensors", "fc_norm", "timm", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"gap.safetensors", "gap", "timm", 0, preprocess.Half, "", "mean logits"},
	{"gap_fc_norm.safetensors", "gap_fc_norm", "timm", 0, preprocess.Half, "", "mean logits"},
	{"one_channel.safetensors", "one_channel", "timm", 0, preprocess.Half, "", "cls mean logits"},
	{"rms.safetensors", "rms", "timm", 0, preprocess.Half, "", "cls mean logits"},
	{"deit_one_head.safetensors", "deit_one_head", "huggingface", 0, preprocess.ImageNet, "", "cls mean dist logits"},
	{"dinov2_swiglu.pth", "dinov2_swiglu", "dinov2", 0, preprocess.ImageNet, "", "cls mean"},
	{"dinov2_swiglu_huggingface.safetensors", "dinov2_swiglu", "huggingface-dinov2", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"dinov2_reg_timm.safetensors", "dinov2_reg", "timm", 0, preprocess.ImageNet, "", "cls mean logits"},
	{"dinov2_reg_timm.safetensors", "dinov2_reg_42", "timm", 42, preprocess.ImageNet, "", "cls mean logits"},
	{"dinov2_reg.pth", "dinov2_reg", "dinov2", 0, preprocess.ImageNet, "", "cls mean"},
	{"dinov2_reg.pth", "dinov2_reg_42", "dinov2", 42, preprocess.ImageNet, "", "cls mean"},
	{"dinov2_reg_huggingface.safetensors", "dinov2_reg_42", "huggingface-dinov2", 42, preprocess.ImageNet, "", "cls mean"},
	{"siglip_timm.safetensors", "siglip_timm", "timm", 0, preprocess.Half, "", "pool mean"},
	{"siglip_huggingface.safetensors", "siglip", "huggingface-siglip", 0, preprocess.Half, "", "pool mean"},
	{"siglip_timm.safetensors", "siglip", "timm", 0, preprocess.Half, TanhGELU, "pool mean"},
}

// TestExportEqualsOriginal runs the exported graphs and compares every output
// with the original library's.
func TestExportEqualsOriginal(t *testing.T) {
	orttest.Require(t)
	for _, fx := range fixtures {
		t.Run(fx.weights+"="+fx.expected, func(t *testing.T) {
			m, err := loadModel(t.Context(), openFile(t, filepath.Join("testdata", fx.weights)), loadOptions{Heads: 4, Activation: fx.activation})
			if err != nil {
				t.Fatal(err)
			}
			if m.Family != fx.family {
				t.Errorf("family %s, want %s", m.Family, fx.family)
			}
			m.Preprocess.Normalization = fx.normalization
			if fx.image != 0 {
				if err := m.setImageSize(fx.image, 0); err != nil {
					t.Fatal(err)
				}
			}
			s := openExport(t, m)
			want := openFile(t, filepath.Join("testdata", fx.expected+".expected.safetensors"))
			for _, kind := range []string{"gray", "rgb"} {
				compareOutputs(t, s, want, kind)
			}
			if got := finalOutputs(s); got != fx.taps {
				t.Errorf("outputs %s, want %s", got, fx.taps)
			}
		})
	}
}

// TestFullSize compares a network of full size with the reference outputs that
// scripts/check_torchvision.py --keep left in the folder GRAFT_VIT_CHECK.
func TestFullSize(t *testing.T) {
	dir := os.Getenv("GRAFT_VIT_CHECK")
	if dir == "" {
		t.Skip("SKIPPED: set GRAFT_VIT_CHECK to a folder that scripts/check_torchvision.py --keep wrote")
	}
	orttest.Require(t)
	compareOutputs(t, openSession(t, filepath.Join(dir, "vit.onnx")), openFile(t, filepath.Join(dir, "expected.safetensors")), "gray")
}

func compareOutputs(t *testing.T, s session.Session, want *checkpoint.File, kind string) {
	t.Helper()
	got := runPixels(t, s, want, kind+".pixels")
	checked := 0
	for name, v := range got {
		w, err := want.Float32(kind + "." + name)
		if err != nil {
			if name == "logits" { // a bare ViTModel has none, and a DINO either
				t.Errorf("logits without a classifier: %v", err)
			}
			t.Fatal(err)
		}
		if e := relativeError(v, w); !(e <= 1e-5) {
			t.Errorf("%s %s: relative error %g, want at most 1e-5", kind, name, e)
		}
		checked++
	}
	wanted := 0
	for _, name := range want.Names() {
		tap, ok := strings.CutPrefix(name, kind+".")
		if ok && tap != "pixels" && tap != "logits" { // some files of a network leave the classifier out
			wanted++
			if got[tap] == nil {
				t.Errorf("%s: no output %s", kind, tap)
			}
		}
	}
	if checked < wanted || wanted < 3 {
		t.Errorf("%s: %d outputs compared, want at least %d and not fewer than 3", kind, checked, wanted)
	}
}

// finalOutputs names the outputs that are not a block's.
func finalOutputs(s session.Session) string {
	var names []string
	for _, v := range s.Outputs() {
		if !strings.Contains(v.Name, "_") {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, " ")
}

// runPixels runs the images stored under name and returns every output.
func runPixels(t *testing.T, s session.Session, f *checkpoint.File, name string) map[string][]float32 {
	t.Helper()
	info, _ := f.Info(name)
	values, err := f.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]uint8, len(values))
	for i, v := range values {
		pixels[i] = uint8(v)
	}
	shape := make([]int64, len(info.Shape))
	for i, d := range info.Shape {
		shape[i] = int64(d)
	}
	return runSession(t, s, pixels, shape)
}

func runSession(t *testing.T, s session.Session, pixels []uint8, shape []int64) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	var tensors []session.Tensor
	for _, v := range s.Outputs() {
		width := v.Dims[1].Value
		out[v.Name] = make([]float32, shape[0]*width)
		tensors = append(tensors, session.Tensor{Name: v.Name, Shape: []int64{shape[0], width}, Data: out[v.Name]})
	}
	in := []session.Tensor{{Name: "pixels", Shape: shape, Data: pixels}}
	if err := s.Run(context.Background(), in, tensors); err != nil {
		t.Fatal(err)
	}
	return out
}

// relativeError is ‖a−b‖/‖b‖; NaN in either gives NaN.
func relativeError(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	var diff, norm float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		diff += d * d
		norm += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(diff / norm)
}

func loadFixture(t testing.TB, name string) *Model {
	t.Helper()
	m, err := loadModel(t.Context(), openFile(t, filepath.Join("testdata", name)), loadOptions{Heads: 4})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openFile(t testing.TB, path string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func exportFile(t testing.TB, m *Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vit.onnx")
	if err := m.Export(context.Background(), path, ExportOptions{Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return path
}

func openExport(t *testing.T, m *Model) session.Session {
	t.Helper()
	return openSession(t, exportFile(t, m))
}

func openSession(t *testing.T, path string) session.Session {
	t.Helper()
	s, err := orttest.Open(path, session.Options{Provider: session.CPU, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestGrayEqualsRGB: a gray image and the same image in three channels have
// the same features.
func TestGrayEqualsRGB(t *testing.T) {
	orttest.Require(t)
	s := openExport(t, loadFixture(t, "timm.safetensors"))
	gray := make([]uint8, 20*28)
	for i := range gray {
		gray[i] = uint8(i * 37)
	}
	a := runSession(t, s, gray, []int64{1, 1, 20, 28})
	b := runSession(t, s, slices.Concat(gray, gray, gray), []int64{1, 3, 20, 28})
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			t.Errorf("%s differs between gray and the same in RGB", name)
		}
	}
}

// plainOps are operators that every provider has: none that computes shapes,
// none outside ONNX's own set.
var plainOps = []string{"Sqrt", "DequantizeLinear", "Resize", "Mul", "Add", "Conv", "Reshape", "Transpose", "Pad", "LayerNormalization", "MatMul", "Split",
	"Softmax", "Div", "Erf", "Gather", "Slice", "ReduceMean", "Gemm", "Sigmoid", "Tanh", "Concat"}

func TestInputsAndOutputs(t *testing.T) {
	m, err := onnx.Open(exportFile(t, loadFixture(t, "torchvision.pth")))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var outputs []string
	for _, o := range m.Outputs {
		outputs = append(outputs, o.Name)
	}
	if want := []string{"cls", "mean", "cls_1", "mean_1", "cls_2", "mean_2", "cls_3", "mean_3", "logits"}; !slices.Equal(outputs, want) {
		t.Errorf("outputs %v, want %v", outputs, want)
	}
	if got := m.Inputs[0].String(); got != "pixels uint8 [N,C,H,W]" {
		t.Errorf("input %s", got)
	}
}

func TestMetadata(t *testing.T) {
	m := loadFixture(t, "huggingface.safetensors")
	got := m.graph(context.Background(), ExportOptions{Version: "v9"}).Metadata
	for key, want := range map[string]string{
		"graft.arch": "vit_w32_d3_h4_16", "graft.source": "huggingface.safetensors", "graft.family": "huggingface",
		"graft.image_size": "48", "graft.patch": "16", "graft.width": "32", "graft.depth": "3", "graft.heads": "4",
		"graft.mean": "0.5,0.5,0.5", "graft.std": "0.5,0.5,0.5", "graft.crop_pct": "1",
		"graft.interpolation": "bilinear", "graft.precision": "float32", "graft.version": "v9",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if hash := got["graft.source_sha256"]; len(hash) != 64 {
		t.Errorf("source hash %q", hash)
	}
}

// TestExportIsDeterministic: the same weights give the same bytes.
func TestExportIsDeterministic(t *testing.T) {
	read := func() []byte {
		data, err := os.ReadFile(exportFile(t, loadFixture(t, "timm.safetensors")))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(read(), read()) {
		t.Error("two exports differ")
	}
}

// TestExportStops: a cancelled export leaves nothing behind.
func TestExportStops(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	var seen int64
	o := ExportOptions{Progress: func(done, total int64) {
		if seen = done; done > total/2 {
			cancel()
		}
	}}
	err := loadFixture(t, "timm.safetensors").Export(ctx, filepath.Join(dir, "x.onnx"), o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancellation", err)
	}
	if seen == 0 {
		t.Error("no progress was told")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
