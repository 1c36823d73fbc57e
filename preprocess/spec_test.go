package preprocess_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"graft/preprocess"
)

// Lines as stores and runs had them before they held the Spec itself.
var lines = map[string]preprocess.Spec{
	"bilinear to 224 in the graph; mean 0.48145467,0.4578275,0.40821072; std 0.26862955,0.2613026,0.2757771; images larger or not square first on the host: shorter side to 224/0.875, centre cut": {
		Size: 224, Filter: "bilinear", Crop: 0.875, Channels: 3, Normalization: preprocess.CLIP},
	"on the host: 8-bit bilinear to 96, crop 0.9, 1 channels; mean [0.5 0.5 0.5]; std [0.25 1e-05 1]; output a, pooling \"\"; b, pooling \"mean\"": {
		Host: true, Size: 96, Filter: "bilinear", Crop: 0.9, Channels: 1, Output: "a, pooling \"\"; b", Pool: "mean",
		Normalization: preprocess.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 1e-5, 1}}},
	"on the host: 8-bit bilinear to 8, crop 1, 3 channels; mean [0.485 0.456 0.406]; std [0.229 0.224 0.225]; output embedding, pooling \"\"": {
		Host: true, Size: 8, Filter: "bilinear", Crop: 1, Channels: 3, Output: "embedding", Normalization: preprocess.ImageNet},
}

func TestSpecJSON(t *testing.T) {
	for line, want := range lines {
		if want.String() != line || want.Check() != nil {
			t.Errorf("%+v prints %q, %v; want %q", want, want, want.Check(), line)
		}
		for _, v := range []any{line, want} {
			data, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var got preprocess.Spec
			if err := json.Unmarshal(data, &got); err != nil || got != want {
				t.Errorf("%s: %+v, %v; want %+v", data, got, err, want)
			}
		}
	}
	// The metadata of older exported files with a foreign backbone.
	old := `{"InputSize":8,"Mean":[0.485,0.456,0.406],"Std":[0.229,0.224,0.225],"CropPct":0.9,"Output":"embedding","Pool":"cls"}`
	want := preprocess.Spec{Size: 8, Crop: 0.9, Output: "embedding", Pool: "cls", Normalization: preprocess.ImageNet}
	var got preprocess.Spec
	if err := json.Unmarshal([]byte(old), &got); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestSpecRefuses(t *testing.T) {
	for _, text := range []string{`"none"`, `""`, `3`, `"bilinear to 0224 in the graph; mean 0,0,0; std 1,1,1; images larger or not square first on the host: shorter side to 224/1, centre cut"`,
		`"bilinear to 224 in the graph; mean 0,0; std 1,1,1; images larger or not square first on the host: shorter side to 224/1, centre cut"`,
		`"bilinear to 224 in the graph; mean 0,0,0; std 1,1,1; images larger or not square first on the host: shorter side to 96/1, centre cut"`} {
		if err := json.Unmarshal([]byte(text), new(preprocess.Spec)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	for want, change := range map[string]func(*preprocess.Spec){
		"0 pixels":     func(s *preprocess.Spec) { s.Size = 0 },
		"99999 pixels": func(s *preprocess.Spec) { s.Size = 99999 },
		"bicubic":      func(s *preprocess.Spec) { s.Filter = "bicubic" },
		"crop":         func(s *preprocess.Spec) { s.Crop = 0 },
		"2 channels":   func(s *preprocess.Spec) { s.Channels = 2 },
		"std above 0":  func(s *preprocess.Spec) { s.Std[0] = 0 },
	} {
		s := preprocess.Spec{Size: 224, Filter: "bilinear", Crop: 1, Channels: 3, Normalization: preprocess.Half}
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", s, err, want)
		}
	}
}

func TestParseNormalization(t *testing.T) {
	for s, want := range map[string]string{
		"imagenet": "0.485,0.456,0.406/0.229,0.224,0.225", "half": "0.5,0.5,0.5/0.5,0.5,0.5", "none": "0,0,0/1,1,1",
		"0.1, 0.2,0.3/1,0.2,0.00392": "0.1,0.2,0.3/1,0.2,0.00392",
	} {
		if n, err := preprocess.ParseNormalization(s); err != nil || n.String() != want {
			t.Errorf("%q: %v, %v; want %s", s, n, err, want)
		}
	}
	for _, s := range []string{"", "image", "0.5/0.5", "0,0,0/1,1", "0,0,0/1,1,0", "0,0,0/1,1,-1", "0,0,nan/1,1,1", "0,0,0/1,1,inf", "a,b,c/1,1,1"} {
		if n, err := preprocess.ParseNormalization(s); err == nil {
			t.Errorf("%q was accepted as %v", s, n)
		}
	}
}

// TestNormalizationOfBytes: numbers of pixels from 0 to 255 are no fractions, and
// what was meant is said.
func TestNormalizationOfBytes(t *testing.T) {
	for s, want := range map[string]string{
		"123.675,116.28,103.53/58.395,57.12,57.375": "mean 0.485,0.456,0.406, std 0.229,0.224,0.225",
		"127.5,127.5,127.5/127.5,127.5,127.5":       "mean 0.5,0.5,0.5, std 0.5,0.5,0.5",
		"0,0,0/255,255,255":                         "mean 0,0,0, std 1,1,1",
		"0.5,0.5,0.5/127.5,127.5,127.5":             "mean 0.5,0.5,0.5, std 0.5,0.5,0.5",
		"127.5,127.5,127.5/0.5,0.5,0.5":             "mean 0.5,0.5,0.5, std 0.5,0.5,0.5",
		"-127.5,-127.5,-127.5/1,1,1":                "mean -0.5,-0.5,-0.5, std 0.003922,0.003922,0.003922",
	} {
		if _, err := preprocess.ParseNormalization(s); err == nil || !strings.Contains(err.Error(), "probably "+want) {
			t.Errorf("%q: error %v, want one with %q", s, err, want)
		}
	}
}

func TestGray(t *testing.T) {
	im := preprocess.Image{C: 3, H: 1, W: 4, Pix: []uint8{255, 0, 0, 10, 0, 255, 0, 20, 0, 0, 255, 30}}
	// PIL: Image.merge("RGB", …).convert("L").
	if got, want := im.Gray().Pix, "\x4c\x96\x1d\x12"; string(got) != want {
		t.Errorf("%v, want %v", got, []byte(want))
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string][2]int{"224": {224, 0}, "256x128": {256, 128}, "96x96": {96, 0}} {
		if h, w, err := preprocess.ParseSize(s); err != nil || [2]int{h, w} != want {
			t.Errorf("%s: %d, %d, %v", s, h, w, err)
		}
	}
	for _, s := range []string{"", "0", "-3", "x", "3x", "x3", "3x0", "2x3x4", "1e2", "99999", "9x99999"} {
		if _, _, err := preprocess.ParseSize(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

// An oblong input: what has its shape and is no larger is left to the graph, and all else covers it first.
func TestCut(t *testing.T) {
	s := preprocess.Spec{Size: 32, Width: 16, Filter: preprocess.Bilinear, Crop: 0.875, Channels: 3, Normalization: preprocess.Half}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ h, w, wantH, wantW int }{
		{32, 16, 32, 16}, {8, 4, 8, 4}, {64, 32, 32, 16}, {16, 16, 32, 16}, {9, 500, 32, 16}, {500, 9, 32, 16}, {7, 3, 32, 16},
	} {
		im := preprocess.New(3, c.h, c.w)
		for i := range im.Pix {
			im.Pix[i] = 77
		}
		got := s.Cut(im)
		if got.H != c.wantH || got.W != c.wantW || slices.ContainsFunc(got.Pix, func(p uint8) bool { return p != 77 }) {
			t.Errorf("%dx%d became %dx%d: %v", c.h, c.w, got.H, got.W, got.Pix[:9])
		}
	}
	if line := s.String(); !strings.Contains(line, "to 32x16 in the graph") {
		t.Error(line)
	}
}
