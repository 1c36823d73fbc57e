package show

import (
	"graft/graph"
	"graft/report/raster"
)

// heads is how many heads a softmax of attention [N,heads,T,S] or [heads,T,S] has, and its values by head, of the batch's
// first image.
func (l *look) heads(n *graph.Node) (matrices [][]float32) {
	size := n.Dim(-1) * n.Dim(-2)
	for h := range n.Dim(-3) {
		matrices = append(matrices, l.values[n][h*size:(h+1)*size])
	}
	return matrices
}

// fromClass is what the class token attends to among the patches, [heads] maps; without such a token what all tokens
// attend to on average.
func (l *look) fromClass(n *graph.Node) (maps []raster.Array) {
	for _, m := range l.heads(n) {
		maps = append(maps, l.onPatches(l.asked(m, l.prefix > 0)))
	}
	return maps
}

// asked is a row of a matrix [T,T]: the first one, or the mean of all.
func (l *look) asked(m []float32, first bool) []float32 {
	t := l.tokens
	if first {
		return m[:t]
	}
	row := make([]float32, t)
	for i, v := range m {
		row[i%t] += v / float32(t)
	}
	return row
}

// onPatches is the part of one number for each token that belongs to patches, as they lie in the image.
func (l *look) onPatches(row []float32) raster.Array {
	return raster.Array{H: l.grid[0], W: l.grid[1], V: row[len(row)-l.grid[0]*l.grid[1]:]}
}

// mean is that of arrays of one size.
func mean(list []raster.Array) raster.Array {
	out := raster.Array{H: list[0].H, W: list[0].W, V: make([]float32, len(list[0].V))}
	for _, a := range list {
		for i, v := range a.V {
			out.V[i] += v / float32(len(list))
		}
	}
	return out
}

// rollout follows attention through all blocks (Abnar and Zuidema 2020): the product of ½·(mean over heads) + ½·I, a row
// of which says how much of each of the first tokens reaches a last one. It is [T,T], and nil where some blocks attend to
// windows, which the product leaves out.
func (l *look) rollout() []float32 {
	if len(l.attention) == 0 || l.windows > 0 {
		return nil
	}
	t := l.tokens
	product := make([]float32, t*t)
	for i := range t {
		product[i*t+i] = 1
	}
	for _, n := range l.attention {
		heads := l.heads(n)
		step := make([]float64, t*t)
		for _, m := range heads {
			for i, v := range m {
				step[i] += float64(v) / float64(2*len(heads))
			}
		}
		for i := range t {
			step[i*t+i] += 0.5
		}
		product = times(step, product, t)
	}
	return product
}

// times is the product of two matrices [t,t].
func times(a []float64, b []float32, t int) []float32 {
	out, row := make([]float32, t*t), make([]float64, t)
	for i := range t {
		clear(row)
		for k := range t {
			for j, v := range b[k*t : (k+1)*t] {
				row[j] += a[i*t+k] * float64(v)
			}
		}
		for j, v := range row {
			out[i*t+j] = float32(v)
		}
	}
	return out
}
