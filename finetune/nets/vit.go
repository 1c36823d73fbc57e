package nets

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"graft/graph"
)

// How a ViT normalises, what its logits read, and how it starts.
const (
	NormPost = "post" // the study's: norm(relu(x + heads(x))), then norm2(x + mlp(x))
	NormPre  = "pre"  // the paper's: x + heads(norm(x)), then x + mlp(norm2(x)), and one more norm at the end

	PoolFlatten = "flatten" // all tokens, one after the other
	PoolClass   = "class"   // the class token
	PoolMean    = "mean"    // the mean of all tokens

	// InitStudy is the study's: C normal with deviation 1/√inputs, positions and class token 1, Q, K, V 1/2.82, and
	// logit weights √inputs: those of 128 inputs are 128 times too large, so that the model starts confidently wrong.
	InitStudy = "study"
	// InitSane has the deviation 1/√inputs for every matrix, and 0.02 for positions and class token (Dosovitskiy et al.).
	InitSane = "sane"
)

// ViT is a vision transformer on square images, written as the study writes it: one matrix for each head's queries, keys
// and values. Weights, by the names of the study's state_dict, for T tokens, width D, heads of width d:
//
//	C [C·P²,D]                                   embedding of a patch, used as x@C, without bias
//	pe [1,T,D]                                   position embedding
//	classification_token [1,1,D]                 with Pool class; with SpareToken kept but not used
//	transformer_block.multi_head.multiheads.<i>.Q, .K, .V [D,d]
//	transformer_block.multi_head.proj.*          with Projection: PyTorch's Linear, [D,D]
//	transformer_block.norm.*, .norm2.*           layer norms; the second with MLP > 0
//	transformer_block.mlp.fc1.*, .fc2.*          with MLP > 0: Linear [MLP,D] and [D,MLP], GELU between
//	mlp_head [T·D or D,K]                        logits, x@mlp_head, without bias
//
// Untied blocks are called transformer_blocks.<i> instead; with pre-norm there is a last norm.*; a stem has
// stem.<i>.conv.weight and stem.<i>.norm.*.
type ViT struct {
	Side        int     `json:"side" usage:"the network's input in <PIXELS> a side"`
	Channels    int     `json:"channels" usage:"of the images: <N>, 1 or 3"`
	Outputs     int     `json:"outputs"`                                                   // K, the classes
	Patch       int     `json:"patch" usage:"<PIXELS> a side of a patch (after the stem)"` // P
	Width       int     `json:"width" usage:"of the tokens: <N>"`                          // D
	Depth       int     `json:"depth" usage:"times that a block is applied: <N>"`
	Heads       int     `json:"heads" usage:"of attention: <N>"` // of width D/Heads
	MLP         int     `json:"mlp,omitempty" usage:"width of a block's perceptron: <N> (0: none)"`
	Tied        bool    `json:"tied,omitempty" usage:"one block for all depths"`
	Projection  bool    `json:"projection,omitempty" usage:"a linear layer after the heads"`
	SpareToken  bool    `json:"spare_token,omitempty" usage:"keep a class token that is not used, as the study's checkpoints have it"`
	Norm        string  `json:"norm" usage:"<WORD>: post (the study's) or pre"`
	Pool        string  `json:"pool" usage:"what the logits read: <WORD>: flatten (the study's), class or mean"`
	Init        string  `json:"init" usage:"first weights: <WORD>: study or sane"`
	Stem        []int   `json:"stem,omitempty" usage:"channels of convolutions that halve the image first: <N,N,…>"` // 3×3, with batch norm and ReLU (Xiao et al. 2021)
	Dropout     float64 `json:"dropout,omitempty" usage:"<P> of each branch"`                                        // and of what the logits read
	Standardize bool    `json:"standardize,omitempty" usage:"bring each image to mean 0 and variance 1"`
}

// StudyViT is the study's: 32×32 in four patches, width 32, one block of four heads applied twice.
func StudyViT(classes int) ViT {
	return ViT{Side: 32, Channels: 1, Outputs: classes, Patch: 16, Width: 32, Depth: 2, Heads: 4, Tied: true, SpareToken: true,
		Norm: NormPost, Pool: PoolFlatten, Init: InitStudy}
}

// StrongViT is ours for 48×48 faces: three convolutions make 6×6 tokens for four pre-norm blocks of width 128; 0.6 M
// parameters and 26 M multiply-accumulates.
func StrongViT(classes int) ViT {
	return ViT{Side: 48, Channels: 1, Outputs: classes, Patch: 1, Width: 128, Depth: 4, Heads: 4, MLP: 256, Projection: true,
		Norm: NormPre, Pool: PoolMean, Init: InitSane, Stem: []int{32, 64, 128}, Dropout: 0.1, Standardize: true}
}

// Kind is "vit".
func (v ViT) Kind() string { return KindViT }

// InputShape is [C,H,W].
func (v ViT) InputShape() []int { return []int{v.Channels, v.Side, v.Side} }

// Classes is the number of logits.
func (v ViT) Classes() int { return v.Outputs }

// Check tells what is wrong with the options.
func (v ViT) Check() error {
	spans := []span{{"side", v.Side, 1, maxSide}, {"channels", v.Channels, 1, 64}, {"outputs", v.Outputs, 2, maxSide},
		{"patch", v.Patch, 1, maxSide}, {"width", v.Width, 1, maxSide}, {"depth", v.Depth, 1, maxRepeat},
		{"heads", v.Heads, 1, maxRepeat}, {"mlp", v.MLP, 0, 4 * maxSide}, {"stem", len(v.Stem), 0, 8}}
	for _, width := range v.Stem {
		spans = append(spans, span{"stem", width, 1, maxSide})
	}
	err := errors.Join(checkSpans(KindViT, spans...), checkWord(KindViT, "norm", v.Norm, NormPost, NormPre),
		checkWord(KindViT, "pool", v.Pool, PoolFlatten, PoolClass, PoolMean), checkWord(KindViT, "init", v.Init, InitStudy, InitSane),
		checkDropout(KindViT, "dropout", v.Dropout))
	if err != nil {
		return err
	}
	if side := v.stemSide(); side%v.Patch != 0 {
		return fmt.Errorf("vit: %d pixels a side (after the stem) do not divide into patches of %d", side, v.Patch)
	}
	if v.Width%v.Heads != 0 {
		return fmt.Errorf("vit: width %d does not divide into %d heads", v.Width, v.Heads)
	}
	if v.SpareToken && v.Pool == PoolClass {
		return errors.New("vit: option spare_token keeps a class token that is not used, but pool is class")
	}
	return checkBuilds(v)
}

// stemSide is the side of the stem's result: halved, rounding up, by each convolution.
func (v ViT) stemSide() int {
	side := v.Side
	for range v.Stem {
		side = (side + 1) / 2
	}
	return side
}

// Grid is how many patches lie below and beside each other.
func (v ViT) Grid() [2]int { return [2]int{v.stemSide() / v.Patch, v.stemSide() / v.Patch} }

// tokens is T, the class token included.
func (v ViT) tokens() int {
	grid := v.Grid()
	if v.Pool == PoolClass {
		return grid[0]*grid[1] + 1
	}
	return grid[0] * grid[1]
}

// blockName is the prefix of a block's weights.
func (v ViT) blockName(i int) string {
	if v.Tied {
		return "transformer_block"
	}
	return fmt.Sprintf("transformer_blocks.%d", i)
}

// matrix lists a weight [in,out] that is multiplied from the right; study is its deviation in the study.
func (v ViT) matrix(name string, in, out int, study float64) Weight {
	if v.Init == InitSane {
		study = 1 / math.Sqrt(float64(in))
	}
	return Weight{Name: name, Shape: []int{in, out}, draw: normal(study)}
}

// table lists positions and the class token.
func (v ViT) table(name string, rows int, role Role) Weight {
	deviation := 1.0
	if v.Init == InitSane {
		deviation = 0.02
	}
	return Weight{Name: name, Shape: []int{1, rows, v.Width}, Role: role, draw: normal(deviation)}
}

// Weights lists the weights in the order of the forward pass.
func (v ViT) Weights() []Weight {
	var list []Weight
	in := v.Channels
	for i, out := range v.Stem {
		name := fmt.Sprintf("stem.%d", i)
		list = append(append(list, kernel(name+".conv", out, in, 3)), batchNorm(name+".norm", out)...)
		in = out
	}
	pixels := in * v.Patch * v.Patch
	list = append(list, v.matrix("C", pixels, v.Width, 1/math.Sqrt(float64(pixels))), v.table("pe", v.tokens(), Trained))
	switch {
	case v.Pool == PoolClass:
		list = append(list, v.table("classification_token", 1, Trained))
	case v.SpareToken:
		list = append(list, v.table("classification_token", 1, Unused))
	}
	for i := range v.Depth {
		if i == 0 || !v.Tied {
			list = append(list, v.blockWeights(v.blockName(i))...)
		}
	}
	if v.Norm == NormPre {
		list = append(list, norm("norm", v.Width)...)
	}
	read := v.Width
	if v.Pool == PoolFlatten {
		read *= v.tokens()
	}
	return append(list, v.matrix("mlp_head", read, v.Outputs, math.Sqrt(float64(read))))
}

func (v ViT) blockWeights(name string) []Weight {
	var list []Weight
	for i := range v.Heads {
		for _, part := range []string{"Q", "K", "V"} {
			list = append(list, v.matrix(headName(name, i, part), v.Width, v.Width/v.Heads, 1/2.82))
		}
	}
	if v.Projection {
		list = append(list, affine(name+".multi_head.proj", v.Width, v.Width)...)
	}
	list = append(list, norm(name+".norm", v.Width)...)
	if v.MLP > 0 {
		list = slices.Concat(list, norm(name+".norm2", v.Width), affine(name+".mlp.fc1", v.MLP, v.Width), affine(name+".mlp.fc2", v.Width, v.MLP))
	}
	return list
}

func headName(block string, head int, part string) string {
	return fmt.Sprintf("%s.multi_head.multiheads.%d.%s", block, head, part)
}

// Forward builds logits [N,K] from pixels [N,C,H,W].
func (v ViT) Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node {
	f := vitPass{pass{g, w, m}, v}
	if v.Standardize {
		x = f.standardize(x)
	}
	x = f.stem(x)
	x = f.named("embed", func() *graph.Node { return f.embed(x) })
	for i := range v.Depth {
		x = f.block(x, i)
	}
	if v.Norm == NormPre {
		x = f.named("norm", func() *graph.Node { return f.layerNorm("norm", x) })
	}
	return f.named("mlp_head", func() *graph.Node {
		return f.MatMul(f.dropout("mlp_head", f.pool(x), v.Dropout), w("mlp_head"))
	})
}
