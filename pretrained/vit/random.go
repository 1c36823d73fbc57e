package vit

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
)

// archs are the networks that Random draws.
var archs = map[string]Config{"vit_ti_16": sizes[0].of(224, 16), "vit_s_16": sizes[1].of(224, 16), "vit_b_16": sizes[2].of(224, 16),
	"vit_l_16": sizes[3].of(224, 16), mini: sizes[len(sizes)-1].of(48, 8)}

// Archs lists what Random accepts.
func Archs() []string { return []string{"vit_b_16", "vit_s_16", "vit_ti_16", "vit_l_16", mini} }

// Random draws a network for 224×224 pixels (vit_mini_8: 48×48), initialised as torchvision
// does but for its positions (see draw), and wanting torchvision's preprocessing. The
// same arguments give the same weights. arch is one of Archs; classes 0 makes no
// classifier. Such a network has learned nothing, but its features still differ
// from image to image.
func Random(arch string, seed uint64, classes int) (*Model, error) {
	c, ok := archs[arch]
	if !ok {
		return nil, errArch(arch)
	}
	c.Classes = classes
	m, err := RandomConfig(c, seed)
	if err == nil && arch == mini {
		m.narrow()
	}
	return m, err
}

// mini is drawn to be trained and not to stay frozen.
const mini = "vit_mini_8"

// narrow draws the positions as torchvision does, with a deviation of 0.02: wide ones are for networks that stay as they are
// drawn, which would be blind to location without.
func (m *Model) narrow() {
	wide := m.weights["pos"]
	m.positions = weight{wide.shape, func() ([]float32, error) {
		v, err := wide.read()
		for i := range v {
			v[i] *= 0.02
		}
		return v, err
	}}
	m.weights["pos"] = m.positions
}

func errArch(arch string) error {
	return fmt.Errorf("architecture %q is not one that random weights are drawn for (--arch): want one of %s", arch, strings.Join(Archs(), ", "))
}

// RandomConfig is Random for a network of any size.
func RandomConfig(c Config, seed uint64) (*Model, error) {
	source := fmt.Sprintf("random:%d", seed)
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	weights := map[string]weight{}
	for _, s := range layout(c) {
		weights[s.name] = weight{shape: s.shape, read: func() ([]float32, error) { return draw(s, seed), nil }}
	}
	return &Model{
		Config: c, Preprocess: torchvision.preprocess, Source: source, Family: torchvision.name,
		Notes:   []string{"random weights: this network has learned nothing"},
		weights: weights, resample: torchvision.resample, positions: weights["pos"], trained: c,
	}, nil
}

// draw fills one tensor from a generator of its own, so that tensors can be
// drawn in any order. The distributions are those of VisionTransformer.__init__
// and of nn.MultiheadAttention; torchvision leaves the classifier at zero. The
// position embedding is drawn wider, 1 instead of 0.02: torchvision's is
// made to grow in training, which a frozen network never sees, and beside
// patches of deviation 1 it would leave the features blind to where a thing lies.
// Tokens that torchvision has not are drawn alike.
func draw(s spec, seed uint64) []float32 {
	h := fnv.New64a()
	h.Write([]byte(s.name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	// normal leaves out trunc_normal_'s cut at ±2, which for the tensors that
	// torchvision draws with it is 55 deviations away.
	normal := func(std float64) func() float64 { return func() float64 { return rng.NormFloat64() * std } }
	uniform := func(bound float64) func() float64 { return func() float64 { return (2*rng.Float64() - 1) * bound } }
	fanIn, fanOut := float64(elements(s.shape[1:])), float64(s.shape[0])
	next := func() float64 { return 0 }
	key, _ := generalise(s.name)
	if strings.HasSuffix(s.name, ".bias") {
		key = strings.Replace(key, "{p}", "bias", 1)
	}
	switch key {
	case "patch.{p}":
		next = normal(math.Sqrt(1 / fanIn))
	case "pos", "registers", "dist", "pool.query":
		next = normal(1)
	case "blocks.{i}.qkv.{p}", "pool.q.{p}", "pool.kv.{p}", "proj.{p}", // Xavier, of the stacked matrix
		"blocks.{i}.fc1.{p}", "blocks.{i}.fc2.{p}", "pool.fc1.{p}", "pool.fc2.{p}":
		next = uniform(math.Sqrt(6 / (fanIn + fanOut)))
	case "blocks.{i}.proj.{p}", "pool.proj.{p}":
		next = uniform(math.Sqrt(1 / fanIn)) // nn.Linear's own
	case "blocks.{i}.fc1.bias", "blocks.{i}.fc2.bias", "pool.fc1.bias", "pool.fc2.bias":
		next = normal(1e-6)
	case "blocks.{i}.norm1.{p}", "blocks.{i}.norm2.{p}", "norm.{p}", "fc_norm.{p}", "blocks.{i}.q_norm.{p}", "blocks.{i}.k_norm.{p}", "norm_pre.{p}", "pool.norm.{p}", "blocks.{i}.ls1", "blocks.{i}.ls2":
		next = func() float64 { return 1 }
	}
	v := make([]float32, elements(s.shape))
	for i := range v {
		v[i] = float32(next())
	}
	return v
}
