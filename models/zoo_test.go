package models

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func ExampleGet() {
	e, err := Get("vit_b_16")
	fmt.Println(e.Arch, e.SHA256, e.Mean, err)
	// Output: vit_b_16 c867db91 [0.485 0.456 0.406] <nil>
}

func TestZoo(t *testing.T) {
	names, files, urls := map[string]bool{}, map[string]bool{}, map[string]bool{}
	hex := regexp.MustCompile(`^([0-9a-f]{8}|[0-9a-f]{64})?$`)
	fileHash := regexp.MustCompile(`-([0-9a-f]{8})\.pth$`)
	params := map[string][2]int64{"vit_b_16": {85e6, 103e6}, "vit_b_32": {87e6, 89e6}, "vit_l_16": {303e6, 305e6}, "vit_s_16": {21e6, 23e6}, "vit_ti_16": {5e6, 6e6}}
	for _, e := range List() {
		if names[e.Name] || files[e.File] || urls[e.URL] {
			t.Errorf("%s: name, file or address stands twice", e.Name)
		}
		names[e.Name], files[e.File], urls[e.URL] = true, true, true
		if e.Name == "" || e.License == "" || e.Source == "" || e.File != filepath.Base(e.File) || !strings.HasPrefix(e.File, e.Name+".") {
			t.Errorf("%s: an empty field or a strange file name in %+v", e.Name, e)
		}
		if !strings.HasPrefix(e.URL, "https://") || filepath.Ext(e.URL) != filepath.Ext(e.File) {
			t.Errorf("%s: address %s and file %s", e.Name, e.URL, e.File)
		}
		if !hex.MatchString(e.SHA256) {
			t.Errorf("%s: hash %q", e.Name, e.SHA256)
		}
		if m := fileHash.FindStringSubmatch(e.URL); m != nil && m[1] != e.SHA256 {
			t.Errorf("%s: the address carries the hash %s, the entry has %q", e.Name, m[1], e.SHA256)
		}
		if r, ok := params[e.Arch]; !ok || e.Parameters < r[0] || e.Parameters > r[1] || e.Size() != 4*e.Parameters {
			t.Errorf("%s: %d parameters for %s", e.Name, e.Parameters, e.Arch)
		}
		if e.Family != "torchvision" && e.Family != "timm" && e.Family != "huggingface" {
			t.Errorf("%s: family %q", e.Name, e.Family)
		}
		checkPreprocessing(t, e)
	}
}

// checkPreprocessing knows the only two normalisations in use: ImageNet's and
// 0.5.
func checkPreprocessing(t *testing.T, e Entry) {
	t.Helper()
	imagenet := e.Mean == [3]float32{0.485, 0.456, 0.406} && e.Std == [3]float32{0.229, 0.224, 0.225}
	half := e.Mean == [3]float32{0.5, 0.5, 0.5} && e.Std == e.Mean
	if !imagenet && !half {
		t.Errorf("%s: mean %v, std %v", e.Name, e.Mean, e.Std)
	}
	if want := strings.Contains(e.Source, "timm ") || strings.Contains(e.Source, "google/"); want != half {
		t.Errorf("%s: mean %v does not suit %s", e.Name, e.Mean, e.Source)
	}
	if e.Image != 224 || !(e.CropPct > 0.8 && e.CropPct <= 1) || (e.Interpolation != "bilinear" && e.Interpolation != "bicubic") {
		t.Errorf("%s: image %d, crop %v, %s", e.Name, e.Image, e.CropPct, e.Interpolation)
	}
}

func TestGetUnknown(t *testing.T) {
	if _, err := Get("vit_c_3"); err == nil || !strings.Contains(err.Error(), "vit_c_3") || !strings.Contains(err.Error(), "deit_base_patch16") {
		t.Errorf("error %v, want one that names the word and the known models", err)
	}
}

// The resize of torchvision's ViT-L/16 is 242 pixels, of which 224 are kept.
func TestCropOfViTL(t *testing.T) {
	e, err := Get("vit_l_16")
	if err != nil {
		t.Fatal(err)
	}
	if got := math.Round(float64(e.Image) / e.CropPct); got != 242 {
		t.Errorf("resize to %v, want 242", got)
	}
}

func TestParseZooRefuses(t *testing.T) {
	for _, text := range []string{`[{"name":"a","sha265":""}]`, `{`, `[{"mean":[1,2]`} {
		if _, err := parseZoo([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
