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
	params := map[string][2]int64{
		"vit_ti_16": {5e6, 10e6}, "vit_s_8": {21e6, 22e6}, "vit_s_14": {22e6, 23e6}, "vit_s_16": {21e6, 31e6}, "vit_s_32": {22e6, 32e6},
		"vit_m_16": {38e6, 39e6}, "vit_b_8": {85e6, 104e6}, "vit_b_14": {86e6, 88e6}, "vit_b_16": {85e6, 103e6}, "vit_b_32": {87e6, 105e6},
		"vit_l_14": {303e6, 306e6}, "vit_l_16": {303e6, 327e6}, "vit_g2_14": {1136e6, 1138e6}, "vit_so400m_14": {427e6, 429e6},
		"vit_mini_8": {469728, 469728}, "yunet": {53104, 53104},
	}
	for _, e := range List() {
		if names[e.Name] || files[e.File] || urls[e.URL] {
			t.Errorf("%s: name, file or address stands twice", e.Name)
		}
		names[e.Name], files[e.File], urls[e.URL] = true, true, true
		if e.Name == "" || e.License == "" || e.Source == "" || e.File != filepath.Base(e.File) || !strings.HasPrefix(e.File, e.Name+".") {
			t.Errorf("%s: an empty field or a strange file name in %+v", e.Name, e)
		}
		if !e.Brought() && (!strings.HasPrefix(e.URL, "https://") || filepath.Ext(e.URL) != filepath.Ext(e.File)) {
			t.Errorf("%s: address %s and file %s", e.Name, e.URL, e.File)
		}
		if !hex.MatchString(e.SHA256) {
			t.Errorf("%s: hash %q", e.Name, e.SHA256)
		}
		if m := fileHash.FindStringSubmatch(e.URL); m != nil && m[1] != e.SHA256 {
			t.Errorf("%s: the address carries the hash %s, the entry has %q", e.Name, m[1], e.SHA256)
		}
		if r, ok := params[e.Arch]; !ok || e.Parameters < r[0] || e.Parameters > r[1] {
			t.Errorf("%s: %d parameters for %s", e.Name, e.Parameters, e.Arch)
		}
		// OpenAI's files are mostly float16 and hold the text encoder too.
		if !(e.Size() >= 2*e.Parameters && e.Size() < 9*e.Parameters) {
			t.Errorf("%s: %d bytes for %d parameters", e.Name, e.Size(), e.Parameters)
		}
		if want := strings.HasPrefix(e.Source, "DINO "); (e.Positions == "dino") != want || !want && e.Positions != "" {
			t.Errorf("%s: positions %q", e.Name, e.Positions)
		}
		if !e.ONNX() {
			checkPreprocessing(t, e)
		}
	}
}

// checkPreprocessing knows the only three normalisations in use: ImageNet's,
// 0.5 and CLIP's.
func checkPreprocessing(t *testing.T, e Entry) {
	t.Helper()
	stats := map[[3]float32]string{
		{0.485, 0.456, 0.406}: "imagenet", {0.5, 0.5, 0.5}: "half", {0.48145466, 0.4578275, 0.40821073}: "clip",
	}
	stds := map[string][3]float32{
		"imagenet": {0.229, 0.224, 0.225}, "half": {0.5, 0.5, 0.5}, "clip": {0.26862954, 0.26130258, 0.27577711},
	}
	got := stats[e.Mean]
	if got == "" || e.Std != stds[got] {
		t.Errorf("%s: mean %v, std %v", e.Name, e.Mean, e.Std)
	}
	want := "imagenet"
	switch {
	case strings.Contains(e.Source, "augreg"), strings.Contains(e.Source, "google/"), strings.Contains(e.Source, "CLIP-ViT-L-14-laion"):
		want = "half"
	case strings.Contains(e.Source, "CLIP"):
		want = "clip"
	}
	if got != want {
		t.Errorf("%s: mean and std of %s do not suit %s", e.Name, got, e.Source)
	}
	if e.Image < 224 && !e.Brought() || e.Image > 336 || !(e.CropPct > 0.8 && e.CropPct <= 1) || (e.Interpolation != "bilinear" && e.Interpolation != "bicubic") {
		t.Errorf("%s: image %d, crop %v, %s", e.Name, e.Image, e.CropPct, e.Interpolation)
	}
}

// The addresses of OpenAI's files carry their digests.
func TestDigestsOfOpenAI(t *testing.T) {
	n := 0
	for _, e := range List() {
		if !strings.Contains(e.URL, "openaipublic") {
			continue
		}
		n++
		if parts := strings.Split(e.URL, "/"); parts[len(parts)-2] != e.SHA256 || len(e.SHA256) != 64 {
			t.Errorf("%s: address %s, hash %s", e.Name, e.URL, e.SHA256)
		}
	}
	if n != 4 {
		t.Errorf("%d entries of OpenAI, want 4", n)
	}
}

func TestGetUnknown(t *testing.T) {
	for name, want := range map[string]string{"vit_c_16": "did you mean vit_b_16?", "resnet50": "(graft model list shows all)"} {
		if _, err := Get(name); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names the word and says %s", err, want)
		}
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
