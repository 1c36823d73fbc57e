package head

import (
	"math"
	"sync"

	"graft/graph/engine/sgemm"
)

// objective is the weighted mean cross-entropy plus λ/2·‖W‖² as a function of
// θ = (W [classes,d], B [classes]) on standardised features. One evaluation
// reads the features once: a block of rows is standardised into the cache, and
// the logits and the gradient are both made from it. Products are float32, sums
// over blocks float64.
type objective struct {
	features
	classes     int
	labels      []int     // [n]
	weights     []float64 // [classes], or nil: ones
	mean, scale []float32
	lambda      float64

	total float64   // of the weights of the rows fitted
	w     []float32 // θ's W for the evaluation under way
	b     []float64
	parts [chunks]part
}

// part is what one chunk of rows adds.
type part struct {
	loss float64
	w    []float32 // [classes,d]
	b    []float64
}

// prepare adds up the weights and makes the buffers.
func (o *objective) prepare() {
	o.total = 0
	for i := range o.count() {
		o.total += o.weight(o.index(i))
	}
	o.w = make([]float32, o.classes*o.d)
	for c := range o.parts {
		o.parts[c] = part{w: make([]float32, o.classes*o.d), b: make([]float64, o.classes)}
	}
}

func (o *objective) size() int { return o.classes * (o.d + 1) }

func (o *objective) weight(row int) float64 {
	if o.weights == nil {
		return 1
	}
	return o.weights[o.labels[row]]
}

// evaluate returns the objective at θ and sets grad to its gradient.
func (o *objective) evaluate(theta, grad []float64) float64 {
	for j := range o.w {
		o.w[j] = float32(theta[j])
	}
	o.b = theta[len(o.w):]
	o.threads.For(chunks, o.chunk)
	var loss float64
	clear(grad)
	for c := range o.parts {
		p := &o.parts[c]
		loss += p.loss
		for j, g := range p.w {
			grad[j] += float64(g)
		}
		for k, g := range p.b {
			grad[len(o.w)+k] += g
		}
	}
	var square float64
	for j := range grad {
		grad[j] /= o.total
		if j < len(o.w) {
			grad[j] += o.lambda * theta[j]
			square += theta[j] * theta[j]
		}
	}
	return loss/o.total + o.lambda/2*square
}

// chunk evaluates one chunk of rows into its part.
func (o *objective) chunk(c int) {
	p := &o.parts[c]
	p.loss = 0
	clear(p.b)
	clear(p.w)
	step := blockRows(o.d)
	buffer := takeBuffer(step * (o.d + o.classes))
	defer giveBuffer(buffer)
	z, logits := (*buffer)[:step*o.d], (*buffer)[step*o.d:]
	from, to := chunk(c, o.count())
	for ; from < to; from += step {
		rows := min(step, to-from)
		for i := range rows {
			sgemm.Standardize(z[i*o.d:(i+1)*o.d], o.row(from+i), o.mean, o.scale)
		}
		sgemm.Serial.Gemm(false, true, rows, o.classes, o.d, 1, z, o.d, o.w, o.d, 0, logits, o.classes)
		for i := range rows {
			p.loss += o.residual(o.index(from+i), logits[i*o.classes:(i+1)*o.classes], p.b)
		}
		sgemm.Serial.Gemm(true, false, o.classes, o.d, rows, 1, logits, o.classes, z, o.d, 1, p.w, o.d)
	}
}

// residual returns the weighted loss of one row and replaces its logits by the
// loss's derivative, weight·(softmax(logits + b) − t), t being 1 for the label.
func (o *objective) residual(row int, logits []float32, b []float64) float64 {
	top := math.Inf(-1)
	for k, v := range logits {
		top = max(top, float64(v)+o.b[k])
	}
	label, weight := o.labels[row], o.weight(row)
	hit := float64(logits[label]) + o.b[label] - top
	var sum float64
	for k, v := range logits {
		e := math.Exp(float64(v) + o.b[k] - top)
		sum += e
		logits[k] = float32(e)
	}
	for k, e := range logits {
		r := float64(e) / sum
		if k == label {
			r--
		}
		logits[k] = float32(weight * r)
		b[k] += weight * r
	}
	return weight * (math.Log(sum) - hit)
}

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
