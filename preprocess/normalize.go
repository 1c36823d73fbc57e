package preprocess

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Normalization is what a checkpoint was trained with: per channel, on pixels
// in [0,1], (x − Mean) / Std.
type Normalization struct {
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`
}

// Normalisations by name. The ImageNet values are torchvision's; timm calls those
// of 0.5 "inception"; CLIP's are those of clip/clip.py.
var (
	ImageNet = Normalization{[3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}}
	Half     = Normalization{[3]float32{0.5, 0.5, 0.5}, [3]float32{0.5, 0.5, 0.5}}
	CLIP     = Normalization{[3]float32{0.48145466, 0.4578275, 0.40821073}, [3]float32{0.26862954, 0.26130258, 0.27577711}}
)

// ParseNormalization reads imagenet, half (mean and std 0.5), clip, none (pixels
// stay in [0,1]) or m,m,m/s,s,s: a mean and a standard deviation for red, green and
// blue.
func ParseNormalization(s string) (Normalization, error) {
	named := map[string]Normalization{"imagenet": ImageNet, "half": Half, "clip": CLIP, "none": {Std: [3]float32{1, 1, 1}}}
	n, known := named[s]
	if known {
		return n, nil
	}
	mean, std, _ := strings.Cut(s, "/")
	if !parseTriple(mean, &n.Mean) || !parseTriple(std, &n.Std) {
		return n, fmt.Errorf("normalisation %q: want imagenet, half, clip, none or three means and three deviations like %v", s, Half)
	}
	return n, n.Check()
}

// Check refuses numbers that no pixels in [0,1] have; of those on the scale of 0
// to 255 the error says what was probably meant.
func (n Normalization) Check() error {
	var mean, std float32
	for c := range 3 {
		if !(n.Std[c] > 0 && n.Std[c] <= math.MaxFloat32) || !(n.Mean[c]-n.Mean[c] == 0) {
			return fmt.Errorf("mean %s, std %s: wanted finite numbers, std above 0; give the values that the model was trained with", triple(n.Mean), triple(n.Std))
		}
		mean, std = max(mean, n.Mean[c], -n.Mean[c]), max(std, n.Std[c])
	}
	if mean <= 1 && std <= 1 {
		return nil
	}
	meant := n
	for c := range 3 {
		if mean > 1 {
			meant.Mean[c] = fraction(n.Mean[c])
		}
		if std >= 1 { // 1 beside large means is that of bytes which are not divided
			meant.Std[c] = fraction(n.Std[c])
		}
	}
	return fmt.Errorf("mean %s, std %s: on the scale of 0 to 255; wanted those of pixels in [0,1], probably mean %s, std %s",
		triple(n.Mean), triple(n.Std), triple(meant.Mean), triple(meant.Std))
}

// fraction is a byte's value in [0,1], in as many digits as people write.
func fraction(v float32) float32 { return float32(math.Round(float64(v)/255*1e6) / 1e6) }

func (n Normalization) String() string { return triple(n.Mean) + "/" + triple(n.Std) }

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

// triple is the inverse of parseTriple.
func triple(v [3]float32) string {
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
	}
	return strings.Join(words, ",")
}
