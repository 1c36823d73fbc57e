package vit

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx/ort/orttest"
)

// TestRandomParameters: the published numbers of parameters, with a thousand
// classes.
func TestRandomParameters(t *testing.T) {
	for arch, want := range map[string]int64{"vit_ti_16": 5717416, "vit_s_16": 22050664, "vit_b_16": 86567656, "vit_l_16": 304326632} {
		m, err := Random(arch, 1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Config.Params(); got != want {
			t.Errorf("%s: %d parameters, want %d", arch, got, want)
		}
		if m.Config.Arch() != arch {
			t.Errorf("%s calls itself %s", arch, m.Config.Arch())
		}
	}
	if _, err := Random("vit_x", 1, 0); err == nil || !strings.Contains(err.Error(), "vit_b_16, vit_s_16, vit_ti_16, vit_l_16") {
		t.Errorf("got %v, want the known names", err)
	}
	if _, err := Random("vit_b_16", 1, -1); err == nil {
		t.Error("-1 classes were accepted")
	}
}

// TestRandomDistributions measures what torchvision's initialisers promise.
func TestRandomDistributions(t *testing.T) {
	m, err := Random("vit_ti_16", 5, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{ // root mean square
		"patch.weight": math.Sqrt(1. / 768), "patch.bias": 0, "cls": 0, "pos": 1,
		"blocks.0.qkv.weight":  math.Sqrt(6. / (192 + 3*192) / 3),
		"blocks.3.proj.weight": math.Sqrt(1. / 192 / 3),
		"blocks.3.fc1.weight":  math.Sqrt(6. / (192 + 768) / 3),
		"blocks.3.fc2.bias":    1e-6, "blocks.3.qkv.bias": 0, "blocks.0.norm1.weight": 1, "norm.bias": 0, "head.weight": 0,
	} {
		v, err := m.tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if rms := math.Sqrt(sum / float64(len(v))); !(math.Abs(rms-want) <= 0.15*want) {
			t.Errorf("%s: root mean square %g, want %g", name, rms, want)
		}
	}
}

func TestRandomIsDeterministic(t *testing.T) {
	read := func(seed uint64, name string) []float32 {
		m, err := Random("vit_ti_16", seed, 0)
		if err != nil {
			t.Fatal(err)
		}
		v, err := m.tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := read(1, "blocks.0.fc1.weight")
	if !slices.Equal(a, read(1, "blocks.0.fc1.weight")) {
		t.Error("the same seed gave other weights")
	}
	if slices.Equal(a, read(2, "blocks.0.fc1.weight")) {
		t.Error("another seed gave the same weights")
	}
	if slices.Equal(a, read(1, "blocks.1.fc1.weight")) {
		t.Error("two blocks have the same weights")
	}
}

// TestRandomFeaturesDiffer: an untrained network still tells images apart.
func TestRandomFeaturesDiffer(t *testing.T) {
	orttest.Require(t)
	m, err := RandomConfig(Config{Image: 32, Patch: 8, Width: 64, Depth: 4, Heads: 1, MLP: 128, Eps: 1e-6}, 3)
	if err != nil {
		t.Fatal(err)
	}
	const images, pixels = 4, 48 * 48
	all := make([]uint8, images*pixels)
	for i := range all { // gratings of four directions
		n, y, x := i/pixels, i%pixels/48, i%48
		all[i] = uint8(127 + 120*math.Sin(float64(x*(n+1)+y*(4-n))/9))
	}
	out := runSession(t, openExport(t, m), all, []int64{images, 1, 48, 48})
	for _, tap := range m.Config.taps() {
		v := out[tap]
		for n := 1; n < images; n++ {
			if e := relativeError(v[n*64:(n+1)*64], v[:64]); !(e >= 0.01) {
				t.Errorf("%s: image %d differs from the first by %g", tap, n, e)
			}
		}
	}
}

// TestMiniIsDrawnToBeTrained: torchvision's own deviation of positions, 0.02, in the network that is trained from there.
func TestMiniIsDrawnToBeTrained(t *testing.T) {
	m, err := Random("vit_mini_8", 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := m.Config; c.Image != 48 || c.Params() != 469728 || c.Arch() != "vit_mini_8" {
		t.Errorf("%+v with %d parameters", c, c.Params())
	}
	v, err := m.tensor("pos")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if rms := math.Sqrt(sum / float64(len(v))); !(math.Abs(rms-0.02) <= 0.002) {
		t.Errorf("positions of root mean square %g, want 0.02", rms)
	}
}
