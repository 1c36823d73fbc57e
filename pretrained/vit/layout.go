package vit

import (
	"fmt"
	"strings"
)

// spec names one tensor of the network and its shape in row-major order,
// linear weights being [out, in].
type spec struct {
	name  string
	shape []int
}

// layout lists every tensor of a network under graft's own names, in the order
// of use.
func layout(c Config) []spec {
	l := layouter{Config: c, width: c.Width}
	l.add("patch.weight", c.Width, c.channels(), c.Patch, c.Patch)
	l.addIf(!c.NoPatchBias, "patch.bias", c.Width)
	l.addIf(!c.NoClass, "cls", 1, 1, c.Width)
	l.addIf(c.Distilled, "dist", 1, 1, c.Width)
	l.addIf(c.Registers > 0, "registers", 1, c.Registers, c.Width)
	l.add("pos", 1, c.positions(), c.Width)
	if c.PreNorm {
		l.norm("norm_pre")
	}
	for i := range c.Depth {
		l.block(c, fmt.Sprintf("blocks.%d.", i))
	}
	if !c.NoNorm {
		l.norm("norm")
	}
	if c.MeanNorm {
		l.norm("fc_norm")
	}
	if c.AttnPool {
		l.pool(c)
	}
	l.addIf(c.Projection > 0, "proj.weight", c.Projection, c.Width)
	if c.Classes > 0 {
		l.linear("head", c.Classes, c.headInput())
	}
	if c.Classes > 0 && c.Distilled && !c.OneHead {
		l.linear("head_dist", c.Classes, c.Width)
	}
	return l.list
}

// headInput is the width of what the classifier sees.
func (c Config) headInput() int {
	if c.ClassifyMean {
		return 2 * c.Width
	}
	return c.Width
}

// layouter gathers the layout.
type layouter struct {
	Config
	width int
	list  []spec
}

func (l *layouter) add(name string, shape ...int) { l.list = append(l.list, spec{name, shape}) }

func (l *layouter) addIf(there bool, name string, shape ...int) {
	if there {
		l.add(name, shape...)
	}
}

// linear adds a layer's weight [out,in] and bias [out].
func (l *layouter) linear(name string, out, in int) { l.linearIf(true, name, out, in) }

// linearIf is linear with a bias only if there is one.
func (l *layouter) linearIf(bias bool, name string, out, in int) {
	l.add(name+".weight", out, in)
	l.addIf(bias, name+".bias", out)
}

func (l *layouter) norm(name string) {
	l.add(name+".weight", l.width)
	l.addIf(!l.RMSNorm, name+".bias", l.width)
}

func (l *layouter) block(c Config, b string) {
	l.norm(b + "norm1")
	l.linearIf(!c.NoQKVBias, b+"qkv", 3*c.Width, c.Width)
	for _, name := range []string{"q_norm", "k_norm"} {
		l.addIf(c.QKNorm, b+name+".weight", c.Width/c.Heads)
		l.addIf(c.QKNorm && !c.QKRMS, b+name+".bias", c.Width/c.Heads)
	}
	l.linearIf(!c.NoProjBias, b+"proj", c.Width, c.Width)
	l.addIf(c.LayerScale, b+"ls1", c.Width)
	l.norm(b + "norm2")
	hidden := c.MLP
	if c.Gated {
		hidden *= 2
	}
	l.linearIf(!c.NoMLPBias, b+"fc1", hidden, c.Width)
	l.linearIf(!c.NoMLPBias, b+"fc2", c.Width, c.MLP)
	l.addIf(c.LayerScale, b+"ls2", c.Width)
}

// pool is attention pooling: one query of its own over all tokens, then a
// perceptron like a block's.
func (l *layouter) pool(c Config) {
	l.add("pool.query", 1, 1, c.Width)
	l.linear("pool.q", c.Width, c.Width)
	l.linear("pool.kv", 2*c.Width, c.Width)
	l.linear("pool.proj", c.Width, c.Width)
	l.norm("pool.norm")
	l.linear("pool.fc1", c.MLP, c.Width)
	l.linear("pool.fc2", c.Width, c.MLP)
}

// Params is the number of trained parameters.
func (c Config) Params() int64 {
	total := int64(0)
	for _, s := range layout(c) {
		total += int64(elements(s.shape))
	}
	return total
}

// variant tells in words what sets the network apart from the plain one, and
// is empty for that.
func (c Config) variant() string {
	var words []string
	for _, w := range []struct {
		there bool
		word  string
	}{
		{c.act() != GELU, string(c.act())}, {c.Gated, "swiglu"}, {c.LayerScale, "layer scale"}, {c.PreNorm, "norm before the blocks"},
		{c.NoClass, "no class token"}, {c.Distilled, "distillation token"}, {c.Registers > 0, fmt.Sprintf("%d registers", c.Registers)},
		{c.AttnPool, "attention pooling"}, {c.MeanNorm, "norm of the mean"}, {c.NoNorm, "no norm behind the blocks"},
		{c.QKNorm && !c.QKRMS, "norms of queries and keys"}, {c.QKRMS, "RMS norms of queries and keys"}, {c.RMSNorm, "RMS norms"},
		{c.NoQKVBias, "queries, keys and values without bias"}, {c.NoProjBias, "attention's output without bias"},
		{c.NoMLPBias, "perceptrons without bias"}, {c.RegisterPos, "positions of registers"}, {c.Gray, "one input channel"}, {c.Projection > 0, fmt.Sprintf("projection to %d", c.Projection)},
	} {
		if w.there {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}
