package engine

import (
	"slices"

	"graft/graph"
	"graft/graph/engine/vec"
)

// fusedBlock is how many elements a fused unit of element-wise operations handles at a time: its temporaries stay in the
// first-level cache.
const fusedBlock = 512

// elementKernel computes one element-wise operation over len(dst) elements; operands that the operation lacks are nil.
type elementKernel func(dst, a, b, c []float32)

func unaryKernel(f *func(dst, a []float32)) elementKernel {
	return func(dst, a, _, _ []float32) { (*f)(dst, a) }
}

func binaryKernel(f *func(dst, a, b []float32)) elementKernel {
	return func(dst, a, b, _ []float32) { (*f)(dst, a, b) }
}

// swappedKernel turns a<b into b>a.
func swappedKernel(f *func(dst, a, b []float32)) elementKernel {
	return func(dst, a, b, _ []float32) { (*f)(dst, b, a) }
}

// rowKernel computes what the operation's row says, in float64.
func rowKernel(n *graph.Node) elementKernel {
	f, attrs := graph.Point(n.Op()), n.Attrs()
	return func(dst, a, b, c []float32) {
		for i := range dst {
			v := [3]float64{float64(a[i])}
			if b != nil {
				v[1] = float64(b[i])
			}
			if c != nil {
				v[2] = float64(c[i])
			}
			dst[i] = float32(f(v, attrs))
		}
	}
}

// fuses tells whether an operation works element by element, and so joins fused units.
func fuses(n *graph.Node) bool {
	return elementKernels[n.Op()] != nil || graph.Point(n.Op()) != nil || graph.Formula(n) != nil
}

// elementKernels are those of operations that fuse; the others of them follow from their rows.
var elementKernels = map[graph.Op]elementKernel{
	graph.OpAdd:            binaryKernel(&vec.Add),
	graph.OpSub:            binaryKernel(&vec.Sub),
	graph.OpMul:            binaryKernel(&vec.Mul),
	graph.OpDiv:            binaryKernel(&vec.Div),
	graph.OpNeg:            unaryKernel(&vec.Neg),
	graph.OpExp:            func(dst, a, _, _ []float32) { vec.Exp(dst, a) },
	graph.OpSqrt:           unaryKernel(&vec.Sqrt),
	graph.OpSigmoid:        sigmoid,
	graph.OpTanh:           unaryKernel(&vec.Tanh),
	graph.OpErf:            unaryKernel(&vec.Erf),
	graph.OpGelu:           unaryKernel(&vec.Gelu),
	graph.OpGeluSlope:      unaryKernel(&vec.GeluSlope),
	graph.OpRelu:           unaryKernel(&vec.Relu),
	graph.OpRound:          unaryKernel(&vec.Round),
	graph.OpMax:            binaryKernel(&vec.Max),
	graph.OpMin:            binaryKernel(&vec.Min),
	graph.OpEqual:          binaryKernel(&vec.Equal),
	graph.OpGreater:        binaryKernel(&vec.Greater),
	graph.OpGreaterOrEqual: binaryKernel(&vec.GreaterOrEqual),
	graph.OpLess:           swappedKernel(&vec.Greater),
	graph.OpLessOrEqual:    swappedKernel(&vec.GreaterOrEqual),
	graph.OpWhere:          func(dst, c, a, b []float32) { vec.Where(dst, c, a, b) },
	graph.OpExpand:         func(dst, a, _, _ []float32) { copy(dst, a) },
}

// geluBoth makes an operation's value and, in place of a second operand, its derivative.
func geluBoth(dst, a, slope, _ []float32) { vec.GeluBoth(dst, slope, a) }

// sigmoid is 1/(1+e⁻ˣ).
func sigmoid(dst, a, _, _ []float32) {
	vec.Neg(dst, a)
	vec.Exp(dst, dst)
	vec.Add(dst, dst, ones[:])
	vec.Div(dst, ones[:], dst)
}

var ones = [fusedBlock]float32(slices.Repeat([]float32{1}, fusedBlock))

// ref is an operand or result of a fused operation: a buffer indexed like the result, or a temporary.
type ref struct {
	buf  []float32
	slot int
}

// fusedOp is one operation of a fused unit.
type fusedOp struct {
	kernel elementKernel
	dst    ref
	in     [3]ref
	arity  int
}

// repeated is an operand that is read in another order than the result's: it is copied block by block.
type repeated struct {
	src   []float32
	slot  int
	shape []int // of the result, axes joined where the operand's steps allow
	step  []int
}

// fused is a compiled unit of element-wise operations.
type fused struct {
	size     int
	ops      []fusedOp
	repeated []repeated
	scalars  []repeated // one element, copied once per part
	slots    int
}

// run computes elements lo…hi-1 with the part's own temporaries.
func (c *fused) run(lo, hi int, temp []float32) {
	c.begin(min(fusedBlock, hi-lo), temp)
	c.span(lo, hi, temp)
}

// block computes columns j0…j1-1 of rows i0…i1-1, of so many columns each.
func (c *fused) block(i0, i1, j0, j1, columns int, temp []float32) {
	c.begin(min(fusedBlock, j1-j0), temp)
	for i := i0; i < i1; i++ {
		c.span(i*columns+j0, i*columns+j1, temp)
	}
}

// begin fills in the operands of one element for spans of up to n.
func (c *fused) begin(n int, temp []float32) {
	for i := range c.scalars {
		s := &c.scalars[i]
		fill(temp[s.slot*fusedBlock:][:n], s.src[0])
	}
}

func (c *fused) span(lo, hi int, temp []float32) {
	for ; lo < hi; lo += fusedBlock {
		n := min(fusedBlock, hi-lo)
		for i := range c.repeated {
			r := &c.repeated[i]
			r.load(temp[r.slot*fusedBlock:][:n], lo)
		}
		for i := range c.ops {
			op := &c.ops[i]
			var in [3][]float32
			for j := range op.arity {
				in[j] = op.in[j].at(temp, lo, n)
			}
			op.kernel(op.dst.at(temp, lo, n), in[0], in[1], in[2])
		}
	}
}

func (r *ref) at(temp []float32, lo, n int) []float32 {
	if r.buf != nil {
		return r.buf[lo : lo+n]
	}
	return temp[r.slot*fusedBlock:][:n]
}

// fill writes sixteen at a time, which compiles to vectors.
func fill(dst []float32, v float32) {
	var run [16]float32
	for i := range run {
		run[i] = v
	}
	for len(dst) >= len(run) {
		*(*[len(run)]float32)(dst) = run
		dst = dst[len(run):]
	}
	for i := range dst {
		dst[i] = v
	}
}

// maxJoined is the largest number of axes left after joining that a graph of rank 6 can have.
const maxJoined = 8

// load copies the operand's elements for the result's elements from lo on.
func (r *repeated) load(dst []float32, lo int) {
	var index [maxJoined]int
	last, at := len(r.shape)-1, 0
	for a := last; a >= 0; a-- {
		index[a] = lo % r.shape[a]
		lo /= r.shape[a]
		at += index[a] * r.step[a]
	}
	for len(dst) > 0 {
		n := min(len(dst), r.shape[last]-index[last])
		switch step := r.step[last]; step {
		case 0:
			fill(dst[:n], r.src[at])
		case 1:
			copy(dst[:n], r.src[at:])
		default:
			for i := range n {
				dst[i] = r.src[at+i*step]
			}
		}
		dst = dst[n:]
		at -= index[last] * r.step[last]
		index[last] = 0
		for a := last - 1; a >= 0; a-- {
			index[a]++
			at += r.step[a]
			if index[a] < r.shape[a] {
				break
			}
			at -= r.shape[a] * r.step[a]
			index[a] = 0
		}
	}
}

// join drops axes of size 1 and joins neighbours that all operands step through as if they were one.
func join(shape []int, steps ...[]int) (joined []int, joinedSteps [][]int) {
	joinedSteps = make([][]int, len(steps))
	for a, size := range shape {
		if size == 1 {
			continue
		}
		last, fits := len(joined)-1, len(joined) > 0
		for i, s := range steps {
			fits = fits && joinedSteps[i][last] == s[a]*size
		}
		if fits {
			joined[last] *= size
		} else {
			joined = append(joined, size)
		}
		for i, s := range steps {
			if fits {
				joinedSteps[i][last] = s[a]
			} else {
				joinedSteps[i] = append(joinedSteps[i], s[a])
			}
		}
	}
	if len(joined) == 0 {
		joined = []int{1}
		for i := range steps {
			joinedSteps[i] = []int{1}
		}
	}
	return joined, joinedSteps
}
