package engine

import (
	"fmt"

	"graft/graph"
	"graft/graph/engine/vec"
)

// kernel says how an operation that does not fuse is executed fast.
type kernel struct {
	in   []layout // of the operands; plain where the list ends
	out  layout
	emit func(c *compiler, n *graph.Node, in [][]float32, out []float32) []step
	// choose, if set, picks another kernel by what layouts the operands are available in.
	choose func(c *compiler, n *graph.Node) kernel
}

var kernels map[graph.Op]kernel

func init() {
	image, two := []layout{lanes}, []layout{lanes, lanes}
	kernels = map[graph.Op]kernel{
		graph.OpTranspose:          {emit: emitTranspose},
		graph.OpConcat:             {emit: emitConcat},
		graph.OpSlice:              {emit: emitSlice},
		graph.OpPad:                {emit: emitPad},
		graph.OpGather:             {emit: emitGather},
		graph.OpScatterRows:        {emit: emitScatterRows},
		graph.OpReduceSum:          {choose: chooseReduce},
		graph.OpReduceMean:         {choose: chooseReduce},
		graph.OpReduceMax:          {emit: emitReduce},
		graph.OpMatMul:             {emit: emitMatMul},
		graph.OpSoftmax:            {emit: emitSoftmax},
		graph.OpLogSoftmax:         {emit: emitLogSoftmax},
		graph.OpLayerNormalization: {emit: emitLayerNorm},
		graph.OpLayerNormGrad:      {emit: emitLayerNormGrad},
		graph.OpLayerNormScaleGrad: {emit: emitLayerNormScaleGrad},
		graph.OpBatchNormalization: {choose: chooseBatchNorm},
		graph.OpConv:               {choose: chooseConv},
		graph.OpConvInputGrad:      {choose: chooseConvInputGrad},
		graph.OpConvWeightGrad:     {in: two, emit: emitConvWeightGrad},
		graph.OpMaxPool:            poolKernel(emitMaxPool, emitPlainMaxPool),
		graph.OpAveragePool:        poolKernel(emitAveragePool, emitPlainAveragePool),
		graph.OpAveragePoolGrad:    {in: image, out: lanes, emit: emitAveragePoolGrad},
		graph.OpMaxPoolGrad:        {in: two, out: lanes, emit: emitMaxPoolGrad},
		graph.OpDropout:            {emit: emitDropout},
	}
}

// emitNaive computes what the operation's row says, in float64 on one core; it allocates in every step.
func emitNaive(c *compiler, n *graph.Node, in [][]float32, out []float32) []step {
	return []step{{n, 1, func(_, _ int) {
		wide := make([][]float64, len(in))
		for i, v := range in {
			wide[i] = make([]float64, len(v))
			for j, x := range v {
				wide[i][j] = float64(x)
			}
		}
		result, err := graph.Naive(n, wide)
		if err != nil {
			c.program.fault.set(fmt.Errorf("engine: %w", err))
		}
		for i, x := range result {
			out[i] = float32(x)
		}
	}}}
}

// loop is one step over n items of so much work each, in nanoseconds, cut at multiples of align.
func (c *compiler) loop(node *graph.Node, n, align, work int, body func(lo, hi int)) step {
	return step{node, min(c.parts(n*work), max(1, n/align)), func(part, parts int) {
		lo, hi := chunk(n, align, part, parts)
		if lo < hi {
			body(lo, hi)
		}
	}}
}

// loopTemp is one step over n items of so much work each, with the part's own temporaries.
func (c *compiler) loopTemp(node *graph.Node, n, work int, body func(i int, temp []float32)) step {
	return step{node, min(c.parts(n*work), n), func(part, parts int) {
		lo, hi := chunk(n, 1, part, parts)
		for i := lo; i < hi; i++ {
			body(i, c.temps[part])
		}
	}}
}

// convert moves a value of rank 4 from one layout to the other.
func (c *compiler) convert(n *graph.Node, dst, src []float32, to layout) []step {
	s := n.Shape()
	images, channels, plane := s[0], s[1], s[2]*s[3]
	return []step{c.loop(n, blocks(images)*channels, 1, plane*4, func(lo, hi int) {
		for k := lo; k < hi; k++ {
			interleaved, first := k*plane*vec.Lanes, (k/channels*vec.Lanes*channels+k%channels)*plane
			present := min(vec.Lanes, images-k/channels*vec.Lanes)
			if to == lanes {
				vec.Interleave(dst[interleaved:], src[first:], channels*plane, plane, present)
			} else {
				vec.Separate(dst[first:], channels*plane, src[interleaved:], plane, present)
			}
		}
	})}
}
