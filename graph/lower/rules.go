package lower

import (
	"math"
	"slices"

	"graft/graph"
	"graft/onnx"
)

// rule says how an operation is written in ONNX, and on what condition examples stay apart.
type rule struct {
	batch func(l *lowerer, n *graph.Node) error
	emit  func(l *lowerer, n *graph.Node) string
}

// trainingOnly operations have no place in a model that is shipped.
var trainingOnly = map[graph.Op]bool{
	graph.OpDropout: true, graph.OpConvInputGrad: true, graph.OpConvWeightGrad: true, graph.OpMaxPoolGrad: true,
	graph.OpAveragePoolGrad: true, graph.OpScatterRows: true,
}

// plain is an operator of the same name and operands.
func plain(l *lowerer, n *graph.Node) string { return l.op(n, graph.ONNX(n.Op()), nil) }

var rules map[graph.Op]rule

func init() {
	rules = map[graph.Op]rule{
		graph.OpSoftmax:            {lastAxis, onLast},
		graph.OpLogSoftmax:         {lastAxis, onLast},
		graph.OpLayerNormalization: {normalized, layerNorm},
		graph.OpBatchNormalization: {normalized, batchNorm},
		graph.OpMatMul:             {broadcast, matMul},
		graph.OpConv:               {firstOnly, conv},
		graph.OpMaxPool:            {firstOnly, maxPool},
		graph.OpAveragePool:        {firstOnly, averagePool},
		graph.OpReduceSum:          {reduction, reduce},
		graph.OpReduceMean:         {reduction, reduce},
		graph.OpReduceMax:          {reduction, reduce},
		graph.OpReshape:            {reshapeBatch, reshape},
		graph.OpExpand:             {broadcast, expand},
		graph.OpTranspose:          {transposeBatch, transpose},
		graph.OpConcat:             {concatBatch, concat},
		graph.OpSlice:              {wholeFirst, slice},
		graph.OpPad:                {wholeFirst, pad},
		graph.OpGather:             {gatherBatch, plain},
		graph.OpGelu:               {broadcast, gelu},
	}
	for _, op := range []graph.Op{graph.OpAdd, graph.OpSub, graph.OpMul, graph.OpDiv, graph.OpNeg, graph.OpExp, graph.OpLog,
		graph.OpSqrt, graph.OpTanh, graph.OpErf, graph.OpRelu, graph.OpEqual, graph.OpGreater,
		graph.OpGreaterOrEqual, graph.OpLess, graph.OpLessOrEqual, graph.OpWhere} {
		rules[op] = rule{broadcast, plain}
	}
}

// gelu is spelled out for models with older operators: x/2·(1+erf(x/√2)).
func gelu(l *lowerer, n *graph.Node) string {
	if l.b.Model.Opset >= Opset {
		return plain(l, n)
	}
	scalar := func(name string, v float32) string { return l.b.Float32s(n.Name()+"/"+name, []float32{v}) }
	x := l.operands(n)[0]
	y := l.b.Op("Div", n.Name()+"/div", []string{x, scalar("sqrt2", math.Sqrt2)})
	y = l.b.Op("Add", n.Name()+"/add", []string{l.b.Op("Erf", n.Name()+"/erf", []string{y}), scalar("one", 1)})
	y = l.b.Op("Mul", n.Name()+"/mul", []string{x, y})
	return l.b.Op("Mul", n.Name(), []string{y, scalar("half", 0.5)})
}

func onLast(l *lowerer, n *graph.Node) string {
	return l.op(n, graph.ONNX(n.Op()), nil, onnx.Attr{Name: "axis", Value: int64(-1)})
}

func layerNorm(l *lowerer, n *graph.Node) string {
	eps := float32(n.Attrs().(graph.NormAttrs).Eps)
	return l.op(n, "LayerNormalization", nil, onnx.Attr{Name: "axis", Value: int64(-1)}, onnx.Attr{Name: "epsilon", Value: eps})
}

func batchNorm(l *lowerer, n *graph.Node) string {
	return l.op(n, "BatchNormalization", nil, onnx.Attr{Name: "epsilon", Value: float32(n.Attrs().(graph.NormAttrs).Eps)})
}

// matMul is Gemm for two matrices of which one is transposed, else MatMul after transposing.
func matMul(l *lowerer, n *graph.Node) string {
	t, in := n.Attrs().(graph.MatMulAttrs), n.Inputs()
	if !t.TransA && !t.TransB {
		return plain(l, n)
	}
	if len(in[0].Shape()) == 2 && len(in[1].Shape()) == 2 {
		return l.op(n, "Gemm", nil, onnx.Attr{Name: "transA", Value: flag(t.TransA)}, onnx.Attr{Name: "transB", Value: flag(t.TransB)})
	}
	names := l.operands(n)
	for i, transposed := range []bool{t.TransA, t.TransB} {
		if transposed {
			names[i] = l.b.Op("Transpose", n.Name()+"/transposed", []string{names[i]}, permutation(swapLast(len(in[i].Shape()))))
		}
	}
	return l.b.Op("MatMul", n.Name(), names)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// swapLast is the order of axes with the last two exchanged.
func swapLast(rank int) []int {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[rank-1], perm[rank-2] = rank-2, rank-1
	return perm
}

func permutation(perm []int) onnx.Attr { return onnx.Attr{Name: "perm", Value: longs(perm)} }

func conv(l *lowerer, n *graph.Node) string {
	a := n.Attrs().(graph.ConvAttrs)
	return l.op(n, "Conv", nil, window(n.Inputs()[1].Shape()[2:], a.Stride, a.Pad)...)
}

func maxPool(l *lowerer, n *graph.Node) string {
	a := n.Attrs().(graph.PoolAttrs)
	return l.op(n, "MaxPool", nil, window(a.Kernel[:], a.Stride, a.Pad)...)
}

// averagePool counts padding as zeros, as the graph does.
func averagePool(l *lowerer, n *graph.Node) string {
	a := n.Attrs().(graph.PoolAttrs)
	return l.op(n, "AveragePool", nil, append(window(a.Kernel[:], a.Stride, a.Pad), onnx.Attr{Name: "count_include_pad", Value: int64(1)})...)
}

func window(kernel []int, stride, padding [2]int) []onnx.Attr {
	h, w := int64(padding[0]), int64(padding[1])
	return []onnx.Attr{{Name: "kernel_shape", Value: longs(kernel)}, {Name: "strides", Value: longs(stride[:])},
		{Name: "pads", Value: []int64{h, w, h, w}}}
}

func reduce(l *lowerer, n *graph.Node) string {
	a := n.Attrs().(graph.ReduceAttrs)
	if len(a.Axes) == 0 { // a scalar: an empty list would mean all axes, of which it has none
		return l.op(n, "Identity", nil)
	}
	return l.op(n, graph.ONNX(n.Op()), []string{l.ints(n, "axes", a.Axes)}, onnx.Attr{Name: "keepdims", Value: flag(a.Keep)})
}

// reshape leaves the first size open where it is the batch.
func reshape(l *lowerer, n *graph.Node) string {
	to := slices.Clone([]int(n.Shape()))
	if l.batched[n] {
		to[0] = -1
	}
	return l.op(n, "Reshape", []string{l.ints(n, "shape", to)})
}

// expand asks for size 1 where the batch is, which broadcasts to any.
func expand(l *lowerer, n *graph.Node) string {
	to := slices.Clone([]int(n.Shape()))
	if l.batched[n] {
		to[0] = 1
	}
	return l.op(n, "Expand", []string{l.ints(n, "shape", to)})
}

func transpose(l *lowerer, n *graph.Node) string {
	return l.op(n, "Transpose", nil, permutation(n.Attrs().(graph.TransposeAttrs).Perm))
}

func concat(l *lowerer, n *graph.Node) string {
	return l.op(n, "Concat", nil, onnx.Attr{Name: "axis", Value: int64(n.Attrs().(graph.ConcatAttrs).Axis)})
}

// slice names only the axes that it cuts.
func slice(l *lowerer, n *graph.Node) string {
	a, s := n.Attrs().(graph.SliceAttrs), n.Inputs()[0].Shape()
	var axes, starts, ends []int
	for i, size := range s {
		if a.Starts[i] != 0 || a.Ends[i] != size {
			axes, starts, ends = append(axes, i), append(starts, a.Starts[i]), append(ends, a.Ends[i])
		}
	}
	if len(axes) == 0 {
		return l.op(n, "Identity", nil)
	}
	return l.op(n, "Slice", []string{l.ints(n, "starts", starts), l.ints(n, "ends", ends), l.ints(n, "axes", axes)})
}

func pad(l *lowerer, n *graph.Node) string {
	a := n.Attrs().(graph.PadAttrs)
	return l.op(n, "Pad", []string{l.ints(n, "pads", slices.Concat(a.Before, a.After))})
}
