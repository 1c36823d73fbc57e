package raise

import (
	"fmt"
	"slices"

	"graft/graph"
	"graft/onnx"
)

func init() { folds["Shape"], folds["Size"] = foldShape, foldSize }

// measures tells the operators that read nothing of a tensor but its shape.
func measures(n onnx.Node) bool { return n.Domain == "" && (n.Op == "Shape" || n.Op == "Size") }

// measured is the shape of the tensor that Shape or Size reads. One that lies outside of the part, or of which the part
// needs no more, is raised apart: none of its weights become the graph's.
func (c *call) measured() ([]int, error) {
	name := c.Inputs[0]
	if c.values[name] != nil || c.index.Producers[name] == nil && !c.ofModel(name) {
		return c.shapeOf(0)
	}
	r := c.raiser
	if r.apart == nil {
		apart, err := begin(graph.New(), r.model, r.index, Options{Inputs: r.outside()})
		if err != nil {
			return nil, err
		}
		r.apart = apart
	}
	err := r.apart.build([]string{name})
	var x *value
	if err == nil {
		x, err = r.apart.value(name)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("its operand's shape: %w", err)
	case x.fixed != nil:
		return x.fixed.shape, nil
	}
	return x.node.Shape(), nil
}

func (r *raiser) ofModel(input string) bool {
	return slices.ContainsFunc(r.model.Inputs, func(v onnx.Value) bool { return v.Name == input })
}

// outside are the shapes of the tensors where the part begins, and of the model's inputs: where a model leaves open no
// more than the first axis, the batch, that is the part's.
func (r *raiser) outside() map[string][]int {
	out, batch := map[string][]int{}, 0
	for name, x := range r.part.Inputs {
		out[name] = x.Shape()
	}
	for name, x := range r.options.Given {
		out[name] = x.Shape()
	}
	for _, s := range out {
		if len(s) == 0 || batch > 0 && s[0] != batch {
			return out // no common batch
		}
		batch = s[0]
	}
	for _, v := range r.model.Inputs {
		if _, known := out[v.Name]; known || len(v.Dims) == 0 || batch == 0 {
			continue
		}
		if rest, ok := static(v.Dims[1:]); ok {
			out[v.Name] = append([]int{batch}, rest...)
		}
	}
	return out
}

// shapeOf is the shape of an operand, constant or not.
func (c *call) shapeOf(i int) ([]int, error) {
	v, err := c.operand(i)
	switch {
	case err != nil:
		return nil, err
	case v.fixed != nil:
		return v.fixed.shape, nil
	}
	return v.node.Shape(), nil
}

func foldShape(c *call) (*value, error) {
	s, err := c.measured()
	if err != nil {
		return nil, err
	}
	start, end := bound(int(c.Int("start", 0)), len(s)), bound(int(c.Int("end", int64(len(s)))), len(s))
	out := []float64{}
	for _, d := range s[start:max(start, end)] {
		out = append(out, float64(d))
	}
	return vectorOf(out), nil
}

func foldSize(c *call) (*value, error) {
	s, err := c.measured()
	return &value{fixed: &fixed{v: []float64{float64(graph.Shape(s).Size())}}, typ: onnx.Int64}, err
}
