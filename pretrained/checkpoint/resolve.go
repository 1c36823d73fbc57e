package checkpoint

import (
	"fmt"
	"maps"
	"slices"
)

// resolve finds the state dict called key in an unpickled value and checks every
// tensor against its storage, which lookup finds.
func resolve(value any, key string, lookup func(key string) (storage, error)) (*contents, error) {
	found, err := findTensors(value)
	if err != nil {
		return nil, err
	}
	taken, err := choose(slices.Collect(maps.Keys(found.tensors)), key)
	if err != nil {
		return nil, err
	}
	taken.ignored = append(taken.ignored, found.ignored...)
	c := &contents{tensors: make(map[string]*tensor, len(taken.names)), choice: taken}
	storages := map[string]storage{}
	for name, full := range taken.names {
		ref := found.tensors[full]
		s, ok := storages[ref.storage.key]
		if !ok {
			if s, err = lookup(ref.storage.key); err != nil {
				return nil, fmt.Errorf("tensor %s: %w", quote(name), err)
			}
			storages[ref.storage.key] = s
		}
		if c.tensors[name], err = ref.check(s); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(name), err)
		}
	}
	return c, nil
}

// check turns a tensor of the pickle into one that lies inside its storage.
func (ref *tensorRef) check(s storage) (*tensor, error) {
	dt, st := ref.storage.dtype, ref.storage
	if st.elements > maxFileSize || s.size() != int64(st.elements)*int64(dt.size) {
		return nil, fmt.Errorf("storage %s has %d bytes, want %d elements of %s", quote(st.key), s.size(), st.elements, dt.name)
	}
	n, err := elementCount(ref.shape)
	if err != nil {
		return nil, err
	}
	if len(ref.strides) != len(ref.shape) {
		return nil, fmt.Errorf("shape %v and strides %v differ in length", ref.shape, ref.strides)
	}
	if err := ref.checkSpan(n); err != nil {
		return nil, err
	}
	t := &tensor{dtype: dt, shape: ref.shape, strides: ref.strides, offset: int64(ref.offset) * int64(dt.size), storage: s}
	if contiguous(ref.shape, ref.strides) {
		t.strides = nil
	}
	return t, nil
}

// checkSpan wants offset, shape and strides to stay inside the storage. A view
// may not have more elements than its storage: an expanded tensor could claim
// any size.
func (ref *tensorRef) checkSpan(n int) error {
	total := ref.storage.elements
	if ref.offset < 0 || ref.offset > total || n > total {
		return fmt.Errorf("%d elements from element %d on, the storage %s has %d", n, ref.offset, quote(ref.storage.key), total)
	}
	if n == 0 {
		return nil
	}
	last, outside := ref.offset, ref.offset >= total
	for i, d := range ref.shape {
		if d == 1 {
			continue // its stride is never used
		}
		stride := ref.strides[i]
		// Compared as a quotient: the product might overflow.
		if outside = outside || stride < 0 || stride > (total-1-last)/(d-1); outside {
			break
		}
		last += (d - 1) * stride
	}
	if outside {
		return fmt.Errorf("shape %v with strides %v from element %d on leaves the storage %s of %d elements",
			ref.shape, ref.strides, ref.offset, quote(ref.storage.key), total)
	}
	return nil
}

// contiguous tells whether the elements lie in row-major order without gaps.
func contiguous(shape, strides []int) bool {
	want := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] == 0 {
			return true
		}
		if shape[i] != 1 && strides[i] != want {
			return false
		}
		want *= shape[i]
	}
	return true
}
