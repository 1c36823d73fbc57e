package vit

import (
	"fmt"
	"strconv"
	"strings"

	"graft/preprocess"
)

// Normalisations by name, of pixels in [0,1]. The ImageNet values are
// torchvision's; timm calls those of 0.5 "inception"; clip's are those of
// clip/clip.py.
var (
	imageNet = preprocess.Normalization{Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
	half     = preprocess.Normalization{Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}
	clipNorm = preprocess.Normalization{
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
	identity = preprocess.Normalization{Std: [3]float32{1, 1, 1}}
)

// ParseNormalization reads imagenet, half (mean and std 0.5), clip, none (pixels
// stay in [0,1]) or m,m,m/s,s,s: a mean and a standard deviation for red, green and
// blue.
func ParseNormalization(s string) (preprocess.Normalization, error) {
	switch s {
	case "imagenet":
		return imageNet, nil
	case "half":
		return half, nil
	case "clip":
		return clipNorm, nil
	case "none":
		return identity, nil
	}
	fail := func(why string) (preprocess.Normalization, error) {
		return preprocess.Normalization{}, fmt.Errorf("normalisation %q: %s: want imagenet, half, clip, none or three means and three deviations like 0.5,0.5,0.5/0.5,0.5,0.5", s, why)
	}
	mean, std, ok := strings.Cut(s, "/")
	if !ok {
		return fail("no such name")
	}
	var n preprocess.Normalization
	if !parseTriple(mean, &n.Mean) || !parseTriple(std, &n.Std) {
		return fail("not three numbers on each side")
	}
	for i := range n.Std {
		if !(n.Std[i] > 0 && n.Std[i] < 1e6) || !(n.Mean[i] > -1e6 && n.Mean[i] < 1e6) {
			return fail("deviations must be more than 0 and all numbers finite")
		}
	}
	return n, nil
}

func parseTriple(s string, out *[3]float32) bool {
	words := strings.Split(s, ",")
	if len(words) != len(out) {
		return false
	}
	for i, w := range words {
		v, err := strconv.ParseFloat(strings.TrimSpace(w), 32)
		if err != nil {
			return false
		}
		out[i] = float32(v)
	}
	return true
}

// formatTriple is the inverse of parseTriple.
func formatTriple(v [3]float32) string {
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
	}
	return strings.Join(words, ",")
}
