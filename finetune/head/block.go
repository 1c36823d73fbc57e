package head

import (
	"sync"

	"graft/graph/engine/sgemm"
)

// blockRows is how many rows are worked on at once: their standardised copy,
// up to 512 kB, stays in a core's second-level cache between the two products.
// A multiple of four, the rows of a dot-product block.
func blockRows(d int) int { return max(32, min(128, (131072/d)&^3)) }

var buffers sync.Pool

// takeBuffer gives n elements of unknown content.
func takeBuffer(n int) *[]float32 {
	b, _ := buffers.Get().(*[]float32)
	if b == nil || cap(*b) < n {
		b = new([]float32)
		*b = make([]float32, n)
	}
	*b = (*b)[:n]
	return b
}

func giveBuffer(b *[]float32) { buffers.Put(b) }

// standardize sets the rows of dst to (src − mean)·scale; d is len(mean).
func standardize(dst, src, mean, scale []float32) {
	d := len(mean)
	for i := 0; i < len(dst); i += d {
		sgemm.Standardize(dst[i:i+d], src[i:i+d], mean, scale)
	}
}
