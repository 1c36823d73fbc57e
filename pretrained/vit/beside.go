package vit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"graft/preprocess"
)

// maxConfig bounds what is read of a file beside the weights.
const maxConfig = 1 << 20

// beside is what files beside the weights say of the network, and tensors do not. Zero values
// are what none of them says.
type beside struct {
	heads         int
	eps           float32
	activation    Activation
	badActivation error // of a network whose activation is another
	badWants      error // of a mean, std or crop that cannot be
	size          inputSize
	pool          string // timm's word: avg, token, map
	wants         *Preprocess
	usual         int // side of what the publisher's pipeline makes, pixels
	notes         []string
	width, layers int // of the network that is meant
}

// inputSize is the size of the input that somebody stated, pixels.
type inputSize struct {
	height, width int    // width is 0 of a square
	by            string // "" where nobody did
	bad           error  // what is wrong with what was stated
}

// readBeside reads Hugging Face's config.json and preprocessor_config.json, timm's config.json
// and open_clip's open_clip_config.json in the folder of a file of weights. A file that is no
// such one says nothing; that of another network is passed over and told.
func readBeside(weights string, l *loader) (beside, error) {
	folder := weights
	if stat, err := os.Stat(weights); err != nil || !stat.IsDir() {
		folder = filepath.Dir(weights)
	}
	var b beside
	for _, f := range []struct {
		name string
		read func(*beside, []byte, string) error
	}{{"config.json", (*beside).config}, {"open_clip_config.json", (*beside).openCLIP}, {"preprocessor_config.json", (*beside).preprocessor}} {
		path := filepath.Join(folder, f.name)
		data, err := readSmall(path)
		if err != nil || !json.Valid(data) {
			continue
		}
		before := b
		wrong := f.read(&b, data, path)
		patch, err := l.shape("patch.weight", 4)
		if err == nil && (b.width != 0 && b.width != patch[0] || b.layers != 0 && b.layers != l.depth()) {
			b = before
			b.notes = append(b.notes, fmt.Sprintf("%s beside the weights is of another network, and not heeded", f.name))
		} else if wrong != nil {
			return beside{}, wrong
		}
	}
	return b, nil
}

// readSmall reads a file, of a larger one nothing.
func readSmall(path string) ([]byte, error) {
	stat, err := os.Stat(path)
	if err != nil || !stat.Mode().IsRegular() || stat.Size() > maxConfig {
		return nil, os.ErrNotExist
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxConfig))
}

// hiddenActs are transformers' words (transformers/activations.py).
var hiddenActs = map[string]Activation{
	"gelu": GELU, "gelu_python": GELU, "quick_gelu": QuickGELU, "gelu_new": TanhGELU, "gelu_fast": TanhGELU, "gelu_pytorch_tanh": TanhGELU,
}

// hfConfig is what Hugging Face's config.json says of a network.
type hfConfig struct {
	Size   json.RawMessage `json:"image_size"`
	Heads  int             `json:"num_attention_heads"`
	Eps    float32         `json:"layer_norm_eps"`
	Act    string          `json:"hidden_act"`
	Width  int             `json:"hidden_size"`
	Layers int             `json:"num_hidden_layers"`
}

// config reads config.json, of Hugging Face or of timm's models there.
func (b *beside) config(data []byte, path string) error {
	var c struct {
		hfConfig
		Vision     *hfConfig `json:"vision_config"` // of CLIP and SigLIP
		Pool       string    `json:"global_pool"`   // timm's
		Pretrained struct {
			Mean          []float32 `json:"mean"`
			Std           []float32 `json:"std"`
			Crop          float64   `json:"crop_pct"`
			Interpolation string    `json:"interpolation"`
		} `json:"pretrained_cfg"`
	}
	if json.Unmarshal(data, &c) != nil {
		return nil // another program's
	}
	if c.Vision != nil {
		c.hfConfig = *c.Vision
	}
	b.heads, b.eps, b.pool, b.width, b.layers = c.Heads, c.Eps, c.Pool, c.Width, c.Layers
	if c.Act != "" {
		// SwiGLU networks state silu, which their tensors tell too.
		if b.activation = hiddenActs[c.Act]; b.activation == "" && c.Act != "silu" {
			b.badActivation = fmt.Errorf("%s: the activation %q (hidden_act) is not supported: want one of %v, which --activation can name", path, c.Act, activations)
		}
	}
	if b.heads < 0 || b.heads > maxWidth || b.eps < 0 || !(b.eps < 1) {
		return fmt.Errorf("%s: %d heads and an epsilon of %g, want 1 to %d and less than 1", path, b.heads, b.eps, maxWidth)
	}
	if len(c.Size) > 0 {
		b.size = parseInput(string(c.Size), path)
	}
	if p := c.Pretrained; len(p.Mean) > 0 {
		b.wants, b.badWants = wanted(p.Mean, p.Std, cmp.Or(p.Crop, 1), p.Interpolation, path)
	}
	return nil
}

func parseInput(word, path string) inputSize {
	fields := strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune("[, ]\n", r) })
	h, w, err := preprocess.ParseSize(strings.Join(fields, "x"))
	if err != nil {
		err = fmt.Errorf("image_size of %s is %s: %w; --image-size states another", path, word, err)
	}
	return inputSize{h, w, path, err}
}

// wanted is a preprocessing in one or three channels.
func wanted(mean, std []float32, crop float64, interpolation, path string) (*Preprocess, error) {
	p := &Preprocess{CropPct: crop}
	if interpolation == preprocess.Bilinear || interpolation == "bicubic" {
		p.Interpolation = interpolation
	}
	if len(mean) != len(std) || len(mean) != 1 && len(mean) != 3 || !(crop > 0 && crop <= 1) {
		return nil, fmt.Errorf("%s: mean %v, std %v, crop %g: want three numbers each, or one, and a crop of more than 0 and at most 1", path, mean, std, crop)
	}
	for i := range 3 {
		p.Mean[i], p.Std[i] = mean[min(i, len(mean)-1)], std[min(i, len(std)-1)]
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// openCLIP reads open_clip_config.json.
func (b *beside) openCLIP(data []byte, path string) error {
	var c struct {
		Model struct {
			Quick  bool `json:"quick_gelu"`
			Vision struct {
				Size      json.RawMessage `json:"image_size"`
				Layers    any             `json:"layers"` // of ResNets a list
				Width     int             `json:"width"`
				HeadWidth int             `json:"head_width"`
				Timm      string          `json:"timm_model_name"`
			} `json:"vision_cfg"`
		} `json:"model_cfg"`
		Preprocess struct {
			Mean          []float32 `json:"mean"`
			Std           []float32 `json:"std"`
			Interpolation string    `json:"interpolation"`
		} `json:"preprocess_cfg"`
	}
	if json.Unmarshal(data, &c) != nil {
		return nil
	}
	v := c.Model.Vision
	if layers, ok := v.Layers.(float64); ok && v.Timm == "" {
		b.width, b.layers = v.Width, int(layers)
		if hw := cmp.Or(v.HeadWidth, 64); v.Width > 0 && hw > 0 { // open_clip/model.py: CLIPVisionCfg
			b.heads = v.Width / hw
		}
		b.activation, b.badActivation = GELU, nil
		if c.Model.Quick {
			b.activation = QuickGELU
		}
	}
	if len(v.Size) > 0 {
		b.size = parseInput(string(v.Size), path)
	}
	if p := c.Preprocess; len(p.Mean) > 0 {
		b.wants, b.badWants = wanted(p.Mean, p.Std, 1, p.Interpolation, path)
	}
	return nil
}

// side reads a size of preprocessor_config.json: a number, {"height": 224, "width": 224} or
// {"shortest_edge": 256}; 0 of others.
func side(raw json.RawMessage) int {
	var n int
	if json.Unmarshal(raw, &n) == nil {
		return n
	}
	var m struct{ Height, Width, Shortest int }
	var keys map[string]int
	if json.Unmarshal(raw, &keys) != nil {
		return 0
	}
	m.Height, m.Width, m.Shortest = keys["height"], keys["width"], keys["shortest_edge"]
	if m.Shortest != 0 {
		return m.Shortest
	}
	if m.Height == m.Width {
		return m.Height
	}
	return 0
}

// preprocessor reads preprocessor_config.json.
func (b *beside) preprocessor(data []byte, path string) error {
	var c struct {
		Mean      []float32       `json:"image_mean"`
		Std       []float32       `json:"image_std"`
		Normalize *bool           `json:"do_normalize"`
		Size      json.RawMessage `json:"size"`
		Crop      json.RawMessage `json:"crop_size"`
		DoCrop    *bool           `json:"do_center_crop"`
		Resample  int             `json:"resample"` // PIL's number
	}
	if json.Unmarshal(data, &c) != nil || len(c.Mean) == 0 {
		return nil
	}
	crop, kept := 1.0, side(c.Size)
	if cut := side(c.Crop); cut > 0 && (c.DoCrop == nil || *c.DoCrop) {
		if kept > cut {
			crop = float64(cut) / float64(kept)
		}
		kept = cut
	}
	b.usual = kept
	if c.Normalize != nil && !*c.Normalize {
		c.Mean, c.Std = []float32{0, 0, 0}, []float32{1, 1, 1}
	}
	b.wants, b.badWants = wanted(c.Mean, c.Std, crop, map[int]string{2: preprocess.Bilinear, 3: "bicubic"}[c.Resample], path)
	return nil
}
