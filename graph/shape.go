package graph

import (
	"fmt"
	"iter"
	"slices"
)

// Shape lists a tensor's sizes, outermost first; the empty shape is a scalar. Every size is at least 1.
type Shape []int

// Size is the number of elements.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal tells whether both shapes have the same sizes.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Strides are the distances, in elements, between neighbours along each axis of a row-major tensor.
func (s Shape) Strides() []int {
	st := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		st[i] = n
		n *= s[i]
	}
	return st
}

// StridesIn are an operand's strides under the shape of a result that it broadcasts to: 0 along repeated axes.
func (s Shape) StridesIn(result Shape) []int {
	own, out := s.Strides(), make([]int, len(result))
	extra := len(result) - len(s)
	for i, size := range s {
		if size != 1 {
			out[extra+i] = own[i]
		}
	}
	return out
}

// Offset is how far an index lies from the first element.
func Offset(strides, index []int) int {
	sum := 0
	for i, st := range strides {
		sum += st * index[i]
	}
	return sum
}

// Indices visits the elements in row-major order: their number and index. The index slice is reused.
func (s Shape) Indices() iter.Seq2[int, []int] {
	return func(yield func(at int, index []int) bool) {
		index := make([]int, len(s))
		for at := range s.Size() {
			if !yield(at, index) {
				return
			}
			for a := len(s) - 1; a >= 0; a-- {
				if index[a]++; index[a] < s[a] {
					break
				}
				index[a] = 0
			}
		}
	}
}

// maxElements bounds one tensor (8 GiB of float32), so that sizes never overflow.
const maxElements = 1<<31 - 1

func (s Shape) check() error {
	n := 1
	for _, d := range s {
		if d < 1 {
			return fmt.Errorf("shape %v holds a size below 1", s)
		}
		if d > maxElements/n {
			return fmt.Errorf("shape %v holds more than %d elements", s, maxElements)
		}
		n *= d
	}
	return nil
}

// broadcast is the common shape of two operands by the rule of NumPy and ONNX: aligned at the last axis, equal sizes
// or one of them 1.
func broadcast(a, b Shape) (Shape, error) {
	long, short := a, b
	if len(short) > len(long) {
		long, short = short, long
	}
	out := slices.Clone(long)
	for i := range short {
		j := len(long) - len(short) + i
		switch {
		case short[i] == long[j] || short[i] == 1:
		case long[j] == 1:
			out[j] = short[i]
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast at axis %d: %d and %d", a, b, j, long[j], short[i])
		}
	}
	return out, nil
}

// axis turns a possibly negative axis into one of 0…rank-1.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	return (a + rank) % rank, nil
}

// axes sorts and checks a list of axes; none means all of them.
func axes(list []int, rank int) ([]int, error) {
	var out []int
	for _, a := range list {
		p, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, p) {
			return nil, fmt.Errorf("axis %d is given twice", p)
		}
		out = append(out, p)
	}
	if len(list) == 0 {
		for i := range rank {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out, nil
}
