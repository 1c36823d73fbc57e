package nets

import (
	"cmp"
	"slices"

	"graft/graph"
)

// The architectures of CNN.
const (
	ArchStudy    = "study"
	ArchResidual = "residual"
)

// CNN is a convolutional network on square images.
//
// The study's: conv1 1→6 5×5, ReLU, max-pool 2, conv2 6→16 5×5, ReLU, max-pool 2, fc1 →120, ReLU, fc2 →84, ReLU, fc3 →K.
// On 32×32 and 7 classes these are 61,451 parameters.
//
// The residual one: a 3×3 stem with batch norm at full size, max-pool 2, then stages of residual blocks (He et al. 2015:
// two 3×3 convolutions with batch norm around a shortcut), each stage after the first halving the image, then the mean
// over all places, dropout and a linear layer. Its weights are stem.conv.weight, stem.norm.*,
// stages.<i>.<j>.conv1.weight and so on, with batch norm's four tensors named as PyTorch does.
type CNN struct {
	Arch        string  `json:"arch" usage:"<NAME>: study or residual"`
	Side        int     `json:"side" usage:"the network's input in <PIXELS> a side"`
	Channels    int     `json:"channels" usage:"of the images: <N>, 1 or 3"`
	Outputs     int     `json:"outputs"` // K, the classes
	Stem        int     `json:"stem,omitempty" usage:"residual: channels of the first convolution: <N>"`
	Stages      []int   `json:"stages,omitempty" usage:"residual: channels of each stage: <N,N,…>"`
	Blocks      int     `json:"blocks,omitempty" usage:"residual: blocks of each stage: <N>"`
	Squeeze     int     `json:"squeeze,omitempty" usage:"residual: squeeze-and-excitation with 1/<N> of the channels (0: none)"`
	Dropout     float64 `json:"dropout,omitempty" usage:"residual: <P> before the last layer"`
	Standardize bool    `json:"standardize,omitempty" usage:"residual: bring each image to mean 0 and variance 1 first"`
}

// StudyCNN is the study's network for 32×32 gray images.
func StudyCNN(classes int) CNN { return CNN{Arch: ArchStudy, Side: 32, Channels: 1, Outputs: classes} }

// StrongCNN is ours for 48×48 faces cropped to 44×44, at random in training: 1.2 M parameters and 32 M
// multiply-accumulates, so that an epoch over FER2013 takes about a minute on two cores.
func StrongCNN(classes int) CNN {
	return CNN{Arch: ArchResidual, Side: 44, Channels: 1, Outputs: classes, Stem: 24, Stages: []int{32, 64, 128, 256}, Blocks: 1,
		Dropout: 0.3, Standardize: true}
}

// Kind is "cnn".
func (c CNN) Kind() string { return KindCNN }

// InputShape is [C,H,W].
func (c CNN) InputShape() []int { return []int{c.Channels, c.Side, c.Side} }

// Classes is the number of logits.
func (c CNN) Classes() int { return c.Outputs }

// Check tells what is wrong with the options.
func (c CNN) Check() error {
	spans := []span{{"side", c.Side, 1, maxSide}, {"channels", c.Channels, 1, 64}, {"outputs", c.Outputs, 2, maxSide}}
	if c.Arch == ArchStudy {
		spans = append(spans, span{"side", c.Side, 16, 512}, span{"stem", c.Stem, 0, 0}, span{"stages", len(c.Stages), 0, 0},
			span{"blocks", c.Blocks, 0, 0}, span{"squeeze", c.Squeeze, 0, 0})
	} else {
		spans = append(spans, span{"stem", c.Stem, 1, maxSide}, span{"stages", len(c.Stages), 1, maxRepeat},
			span{"blocks", c.Blocks, 1, maxRepeat}, span{"squeeze", c.Squeeze, 0, maxSide})
		for _, width := range c.Stages {
			spans = append(spans, span{"stages", width, max(1, c.Squeeze), maxSide})
		}
	}
	err := cmp.Or(checkWord(KindCNN, "arch", c.Arch, ArchStudy, ArchResidual), checkSpans(KindCNN, spans...),
		checkDropout(KindCNN, "dropout", c.Dropout))
	if err != nil {
		return err
	}
	return checkBuilds(c)
}

// Weights lists the weights of either architecture.
func (c CNN) Weights() []Weight {
	if c.Arch == ArchResidual {
		return c.residualWeights()
	}
	flat := 16 * c.flatSide() * c.flatSide()
	return slices.Concat(affine("conv1", 6, c.Channels, 5, 5), affine("conv2", 16, 6, 5, 5),
		affine("fc1", 120, flat), affine("fc2", 84, 120), affine("fc3", c.Outputs, 84))
}

// flatSide is the side of the last feature map: 5 for 32 pixels.
func (c CNN) flatSide() int { return ((c.Side-4)/2 - 4) / 2 }

// Forward builds logits [N,K] from pixels [N,C,H,W].
func (c CNN) Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	p := pass{g, w, m}
	if c.Arch == ArchResidual {
		return c.residual(p, x)
	}
	for i, name := range []string{"conv1", "conv2"} {
		x = p.named(name, func() *graph.Node { return g.Relu(p.conv(name, x, 1, 0)) })
		x = p.named([]string{"pool1", "pool2"}[i], func() *graph.Node { return g.MaxPool(x, graph.Pool2(2)) })
	}
	x = g.Reshape(x, x.Dim(0), -1) // [N,16,5,5] → [N,400]
	for _, name := range []string{"fc1", "fc2"} {
		x = p.named(name, func() *graph.Node { return g.Relu(p.linear(name, x)) })
	}
	return p.named("fc3", func() *graph.Node { return p.linear("fc3", x) })
}
