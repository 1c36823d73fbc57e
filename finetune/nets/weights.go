package nets

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"graft/graph"
	"graft/pretrained/checkpoint"
)

// Init draws the first weights, row-major, by name. Each weight has a generator of its own, seeded by seed and its name:
// the same seed gives the same values, and an option that adds a layer leaves the other layers' values alone.
func Init(n Net, seed uint64) map[string][]float32 {
	values := map[string][]float32{}
	for _, w := range n.Weights() {
		v := make([]float32, w.Size())
		w.draw(rand.New(rand.NewPCG(seed, nameHash(w.Name))), v)
		values[w.Name] = v
	}
	return values
}

func nameHash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// Declare makes a model's weights parameters of g, with their values (nil: zeros): trained ones as parameters, statistics
// as states. Unused ones are left out.
func Declare(g *graph.Graph, n Net, values map[string][]float32) (Lookup, error) {
	for _, w := range n.Weights() {
		v, ok := values[w.Name]
		if values != nil && !ok {
			return nil, fmt.Errorf("%s: weight %q is missing", n.Kind(), w.Name)
		}
		switch w.Role {
		case Trained:
			g.Parameter(w.Name, v, w.Shape...)
		case Statistic:
			g.State(w.Name, v, w.Shape...)
		}
	}
	return g.Lookup, g.Err()
}

// Find is the view of a checkpoint in which a model's weights have their own names: what stands before all of them, given
// or found (see checkpoint.Preferred), is cut off. A file in which they are nowhere complete is given as it is, for Load to
// tell what it lacks.
func Find(f *checkpoint.File, n Net, prefix string) (*checkpoint.File, error) {
	if prefix != "" {
		return f.Under(prefix + ".")
	}
	complete := func(prefix string) bool {
		return !slices.ContainsFunc(n.Weights(), func(w Weight) bool { _, ok := f.Info(prefix + w.Name); return !ok })
	}
	found := slices.DeleteFunc(f.Prefixes(n.Weights()[0].Name), func(p string) bool { return !complete(p) })
	if slices.Contains(found, "") {
		return f, nil
	}
	prefix, err := checkpoint.Preferred(found)
	if err != nil || prefix == "" {
		return f, err
	}
	return f.Under(prefix)
}

// Load reads a model's weights from a checkpoint, torch's or safetensors. It is strict: tensors that are missing, that
// the model does not have, or of another shape are errors that name all of them, as is a number that is not finite.
func Load(f *checkpoint.File, n Net) (map[string][]float32, error) {
	if err := compare(f, n); err != nil {
		return nil, fmt.Errorf("%s: not the weights of this %s: %w", f.Path(), n.Kind(), err)
	}
	values := map[string][]float32{}
	for _, w := range n.Weights() {
		v, err := f.Float32(w.Name)
		if err != nil {
			return nil, err
		}
		for i, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("%s: tensor %q: element %d is %g, want a finite number", f.Path(), w.Name, i, x)
			}
		}
		values[w.Name] = v
	}
	return values, nil
}

// compare lists every difference between what the file has and what the model wants.
func compare(f *checkpoint.File, n Net) error {
	var faults []string
	known := map[string]bool{}
	for _, w := range n.Weights() {
		known[w.Name] = true
		info, ok := f.Info(w.Name)
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("tensor %q %v is missing", w.Name, w.Shape))
		case !slices.Equal(info.Shape, w.Shape):
			faults = append(faults, fmt.Sprintf("tensor %q: shape %v, want %v", w.Name, info.Shape, w.Shape))
		}
	}
	for _, name := range f.Names() {
		if !known[name] {
			faults = append(faults, fmt.Sprintf("unexpected tensor %q", name))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "; "))
	}
	return nil
}

// Tensors pairs a model's weights with their values, for [checkpoint.WriteSafetensors]. A value that is missing, of
// another length, or of no weight is an error.
func Tensors(n Net, values map[string][]float32) ([]checkpoint.Tensor, error) {
	var out []checkpoint.Tensor
	for _, w := range n.Weights() {
		v := values[w.Name]
		if len(v) != w.Size() {
			return nil, fmt.Errorf("%s: weight %q: %d values, want %d for shape %v", n.Kind(), w.Name, len(v), w.Size(), w.Shape)
		}
		out = append(out, checkpoint.Tensor{Name: w.Name, Shape: w.Shape, Data: v})
	}
	if len(out) != len(values) {
		return nil, fmt.Errorf("%s: %d values, want %d: some belong to no weight", n.Kind(), len(values), len(out))
	}
	return out, nil
}

// uniform draws between -bound and bound.
func uniform(bound float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, v []float32) {
		for i := range v {
			v[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}

// normal draws from a normal distribution around 0.
func normal(deviation float64) func(*rand.Rand, []float32) {
	return func(r *rand.Rand, v []float32) {
		for i := range v {
			v[i] = float32(r.NormFloat64() * deviation)
		}
	}
}

// all sets every element to one number.
func all(x float32) func(*rand.Rand, []float32) {
	return func(_ *rand.Rand, v []float32) {
		for i := range v {
			v[i] = x
		}
	}
}

// torchUniform is how PyTorch's Linear and Conv2d start, weights (Kaiming uniform with a = √5) and biases alike: uniform
// within ±1/√fanIn.
func torchUniform(fanIn int) func(*rand.Rand, []float32) {
	return uniform(1 / math.Sqrt(float64(fanIn)))
}

// affine lists a linear layer's or convolution's weight [out,…] and bias [out] as PyTorch starts them.
func affine(name string, shape ...int) []Weight {
	draw := torchUniform(graph.Shape(shape[1:]).Size())
	return []Weight{{Name: name + ".weight", Shape: shape, draw: draw}, {Name: name + ".bias", Shape: shape[:1], draw: draw}}
}

// norm lists a normalisation's scale and shift: one and zero.
func norm(name string, width int) []Weight {
	return []Weight{{Name: name + ".weight", Shape: []int{width}, draw: all(1)}, {Name: name + ".bias", Shape: []int{width}, draw: all(0)}}
}

// batchNorm adds the running statistics.
func batchNorm(name string, width int) []Weight {
	return append(norm(name, width),
		Weight{Name: name + ".running_mean", Shape: []int{width}, Role: Statistic, draw: all(0)},
		Weight{Name: name + ".running_var", Shape: []int{width}, Role: Statistic, draw: all(1)})
}

// kernel lists a convolution's weight without bias, [out,in,size,size], as torchvision's ResNet starts it (He et al. 2015,
// fan out): normal with deviation √(2/(out·size²)).
func kernel(name string, out, in, size int) Weight {
	return Weight{Name: name + ".weight", Shape: []int{out, in, size, size},
		draw: normal(math.Sqrt(2 / float64(out*size*size)))}
}
