package vit

import "slices"

// shape is that of each part of a tensor in the file, ours being graft's.
func (n named) shape(ours []int) []int {
	s := slices.Clone(ours)
	switch {
	case n.third == 1:
		s[0] *= 3
	case n.third == 2:
		s[0] = s[0] / 2 * 3
	default:
		s[0] /= len(n.names)
	}
	for n.flat && len(s) > 1 && s[0] == 1 {
		s = s[1:]
	}
	if n.transposed {
		slices.Reverse(s)
	}
	return s
}

// read brings a tensor of the file into graft's form: parts are stacked along
// the first axis.
func (l *loader) read(n named, shape []int) ([]float32, error) {
	var all []float32
	for _, name := range n.names {
		v, err := l.file.Float32(name)
		if err != nil {
			return nil, err
		}
		if len(n.names) == 1 {
			all = v
		} else {
			all = append(all, v...)
		}
	}
	switch {
	case n.transposed:
		return transpose(all, shape[1], shape[0]), nil
	case n.third == 1:
		return all[:len(all)/3], nil
	case n.third == 2:
		return all[len(all)/3:], nil
	}
	return all, nil
}
