package engine

import (
	"fmt"
	"math"

	"graft/graph"
)

func refTranspose(n *graph.Node, in [][]float64) ([]float64, error) {
	own := n.Inputs()[0].Shape().Strides()
	strides := make([]int, len(own))
	for i, p := range n.Attrs().(graph.TransposeAttrs).Perm {
		strides[i] = own[p]
	}
	out := make([]float64, n.Shape().Size())
	each(n.Shape(), func(at int, index []int) { out[at] = in[0][dot(strides, index)] })
	return out, nil
}

func refConcat(n *graph.Node, in [][]float64) ([]float64, error) {
	ax, at := n.Attrs().(graph.ConcatAttrs).Axis, 0
	out, strides := make([]float64, n.Shape().Size()), n.Shape().Strides()
	for i, x := range n.Inputs() {
		each(x.Shape(), func(from int, index []int) { out[dot(strides, index)+at*strides[ax]] = in[i][from] })
		at += x.Shape()[ax]
	}
	return out, nil
}

func refSlice(n *graph.Node, in [][]float64) ([]float64, error) {
	strides := n.Inputs()[0].Shape().Strides()
	start := dot(strides, n.Attrs().(graph.SliceAttrs).Starts)
	out := make([]float64, n.Shape().Size())
	each(n.Shape(), func(at int, index []int) { out[at] = in[0][start+dot(strides, index)] })
	return out, nil
}

func refPad(n *graph.Node, in [][]float64) ([]float64, error) {
	strides := n.Shape().Strides()
	start := dot(strides, n.Attrs().(graph.PadAttrs).Before)
	out := make([]float64, n.Shape().Size())
	each(n.Inputs()[0].Shape(), func(from int, index []int) { out[start+dot(strides, index)] = in[0][from] })
	return out, nil
}

func refGather(n *graph.Node, in [][]float64) ([]float64, error) {
	table := n.Inputs()[0].Shape()
	row := table[1:].Size()
	var out []float64
	for _, i := range in[1] {
		if !(i >= 0 && i < float64(table[0])) {
			return nil, fmt.Errorf("engine: %v: index %v is outside 0 to %d", n, i, table[0]-1)
		}
		out = append(out, in[0][int(i)*row:(int(i)+1)*row]...)
	}
	return out, nil
}

func refScatter(n *graph.Node, in [][]float64) ([]float64, error) {
	row := n.Shape()[1:].Size()
	out := make([]float64, n.Shape().Size())
	for k, i := range in[1] {
		if !(i >= 0 && i < float64(n.Dim(0))) {
			return nil, fmt.Errorf("engine: %v: index %v is outside 0 to %d", n, i, n.Dim(0)-1)
		}
		for j := range row {
			out[int(i)*row+j] += in[0][k*row+j]
		}
	}
	return out, nil
}

func refReduce(start float64, f func(a, x float64) float64) reference {
	return func(n *graph.Node, in [][]float64) ([]float64, error) {
		s := n.Inputs()[0].Shape()
		kept := append(graph.Shape{}, s...)
		for _, a := range n.Attrs().(graph.ReduceAttrs).Axes {
			kept[a] = 1
		}
		out, strides := make([]float64, n.Shape().Size()), broadcastStrides(kept, s)
		for i := range out {
			out[i] = start
		}
		each(s, func(at int, index []int) {
			o := &out[dot(strides, index)]
			*o = f(*o, in[0][at])
		})
		return out, nil
	}
}

func refMean(n *graph.Node, in [][]float64) ([]float64, error) {
	out, err := refReduce(0, func(a, x float64) float64 { return a + x })(n, in)
	for i := range out {
		out[i] *= float64(len(out)) / float64(len(in[0]))
	}
	return out, err
}

func refMatMul(n *graph.Node, in [][]float64) ([]float64, error) {
	t, s := n.Attrs().(graph.MatMulAttrs), n.Shape()
	operand := func(x *graph.Node, trans bool) (strides []int, row, col int) {
		strides = broadcastStrides(x.Shape()[:len(x.Shape())-2], s[:len(s)-2])
		for i := range strides {
			strides[i] *= x.Dim(-1) * x.Dim(-2)
		}
		if trans {
			return strides, 1, x.Dim(-1)
		}
		return strides, x.Dim(-1), 1
	}
	sa, ra, ca := operand(n.Inputs()[0], t.TransA)
	sb, rb, cb := operand(n.Inputs()[1], t.TransB)
	inner := n.Inputs()[0].Dim(-1)
	if t.TransA {
		inner = n.Inputs()[0].Dim(-2)
	}
	out := make([]float64, s.Size())
	each(s, func(at int, index []int) {
		batch, i, j := index[:len(s)-2], index[len(s)-2], index[len(s)-1]
		oa, ob := dot(sa, batch)+i*ra, dot(sb, batch)+j*cb
		for k := range inner {
			out[at] += in[0][oa+k*ca] * in[1][ob+k*rb]
		}
	})
	return out, nil
}

func refLayerNorm(n *graph.Node, in [][]float64) ([]float64, error) {
	d, eps := n.Dim(-1), n.Attrs().(graph.NormAttrs).Eps
	f := rows(func(dst, src []float64) {
		mean, variance := 0.0, 0.0
		for _, x := range src {
			mean += x / float64(d)
		}
		for _, x := range src {
			variance += (x - mean) * (x - mean) / float64(d)
		}
		for i, x := range src {
			dst[i] = (x-mean)/math.Sqrt(variance+eps)*in[1][i] + in[2][i]
		}
	})
	return f(n, in)
}

func refBatchNorm(n *graph.Node, in [][]float64) ([]float64, error) {
	plane, c, eps := n.Shape()[2:].Size(), n.Dim(1), n.Attrs().(graph.NormAttrs).Eps
	out := make([]float64, len(in[0]))
	for i, x := range in[0] {
		k := i / plane % c
		out[i] = in[1][k]*(x-in[3][k])/math.Sqrt(in[4][k]+eps) + in[2][k]
	}
	return out, nil
}

// taps visits every multiplication of a convolution by the indices of its input, kernel and output elements.
func taps(x, w, y graph.Shape, a graph.ConvAttrs, f func(ix, iw, iy int)) {
	sx, sw := x.Strides(), w.Strides()
	each(y, func(iy int, p []int) {
		n, o := p[0], p[1]
		each(w[1:], func(k int, q []int) {
			h, v := p[2]*a.Stride[0]+q[1]-a.Pad[0], p[3]*a.Stride[1]+q[2]-a.Pad[1]
			if h >= 0 && h < x[2] && v >= 0 && v < x[3] {
				f(dot(sx, []int{n, q[0], h, v}), o*sw[0]+k, iy)
			}
		})
	})
}

func refConv(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Shape().Size())
	if len(in) == 3 {
		plane := n.Shape()[2:].Size()
		for i := range out {
			out[i] = in[2][i/plane%n.Dim(1)]
		}
	}
	taps(n.Inputs()[0].Shape(), n.Inputs()[1].Shape(), n.Shape(), n.Attrs().(graph.ConvAttrs),
		func(ix, iw, iy int) { out[iy] += in[0][ix] * in[1][iw] })
	return out, nil
}

func refConvInputGrad(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Shape().Size())
	taps(n.Shape(), n.Inputs()[1].Shape(), n.Inputs()[0].Shape(), n.Attrs().(graph.ConvInputGradAttrs).ConvAttrs,
		func(ix, iw, iy int) { out[ix] += in[0][iy] * in[1][iw] })
	return out, nil
}

func refConvWeightGrad(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Shape().Size())
	taps(n.Inputs()[0].Shape(), n.Shape(), n.Inputs()[1].Shape(), n.Attrs().(graph.ConvWeightGradAttrs).ConvAttrs,
		func(ix, iw, iy int) { out[iw] += in[0][ix] * in[1][iy] })
	return out, nil
}

// poolTaps visits every pair of a window's output and an input element inside it, windows and elements in row order.
func poolTaps(x, y graph.Shape, a graph.PoolAttrs, f func(ix, iy int)) {
	kernel := graph.Shape{y[1], 1, a.Kernel[0], a.Kernel[1]}
	sx := x.Strides()
	each(y, func(iy int, p []int) {
		each(kernel[1:], func(_ int, q []int) {
			h, v := p[2]*a.Stride[0]+q[1]-a.Pad[0], p[3]*a.Stride[1]+q[2]-a.Pad[1]
			if h >= 0 && h < x[2] && v >= 0 && v < x[3] {
				f(dot(sx, []int{p[0], p[1], h, v}), iy)
			}
		})
	})
}

// firstMaxima gives, for every window, the index of its first maximum in row order.
func firstMaxima(x []float64, xs, ys graph.Shape, a graph.PoolAttrs) []int {
	at := make([]int, ys.Size())
	for i := range at {
		at[i] = -1
	}
	poolTaps(xs, ys, a, func(ix, iy int) {
		if at[iy] < 0 || x[ix] > x[at[iy]] || math.IsNaN(x[ix]) {
			at[iy] = ix
		}
	})
	return at
}

func refMaxPool(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Shape().Size())
	for iy, ix := range firstMaxima(in[0], n.Inputs()[0].Shape(), n.Shape(), n.Attrs().(graph.PoolAttrs)) {
		out[iy] = in[0][ix]
	}
	return out, nil
}

func refMaxPoolGrad(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Shape().Size())
	for iy, ix := range firstMaxima(in[0], n.Shape(), n.Inputs()[1].Shape(), n.Attrs().(graph.PoolAttrs)) {
		out[ix] += in[1][iy]
	}
	return out, nil
}

func refAveragePool(n *graph.Node, in [][]float64) ([]float64, error) {
	a := n.Attrs().(graph.PoolAttrs)
	out, share := make([]float64, n.Shape().Size()), 1/float64(a.Kernel[0]*a.Kernel[1])
	poolTaps(n.Inputs()[0].Shape(), n.Shape(), a, func(ix, iy int) { out[iy] += in[0][ix] * share })
	return out, nil
}

func refAveragePoolGrad(n *graph.Node, in [][]float64) ([]float64, error) {
	a := n.Attrs().(graph.AveragePoolGradAttrs).PoolAttrs
	out, share := make([]float64, n.Shape().Size()), 1/float64(a.Kernel[0]*a.Kernel[1])
	poolTaps(n.Shape(), n.Inputs()[0].Shape(), a, func(ix, iy int) { out[ix] += in[0][iy] * share })
	return out, nil
}

func refDropout(n *graph.Node, in [][]float64) ([]float64, error) {
	a := n.Attrs().(graph.DropoutAttrs)
	key, limit := dropoutKey(a.Seed, in[1][0]), dropoutLimit(a.P)
	out := make([]float64, len(in[0]))
	for i, x := range in[0] {
		if dropoutKeeps(key, limit, i) {
			out[i] = x / (1 - a.P)
		}
	}
	return out, nil
}
