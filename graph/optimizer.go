package graph

import (
	"cmp"
	"fmt"
)

// Optimizer adds the updates that train parameters to a graph. rate, the learning rate, is a scalar node, usually an
// input, so that a schedule can change it from step to step.
type Optimizer interface {
	Apply(g *Graph, parameters, gradients []*Node, rate *Node) error
}

// SGD is stochastic gradient descent: b ← momentum·b + ∇ + decay·p; p ← p - rate·b. State is named
// "sgd.momentum.<parameter>".
type SGD struct {
	Momentum, WeightDecay float64
	Decay                 func(p *Node) bool    // which parameters decay; nil: all
	Rate                  func(p *Node) float64 // a parameter's own factor of the learning rate; nil: 1
}

// Adam is Kingma and Ba's method with PyTorch's defaults in place of zeros: betas 0.9 and 0.999, eps 1e-8. WeightDecay
// is added to the gradient, or with Decoupled (AdamW, Loshchilov and Hutter) taken from the parameter: p ← p·(1-rate·decay).
// State is named "adam.m.<parameter>", "adam.v.<parameter>" and "adam.correction1", "adam.correction2".
type Adam struct {
	Beta1, Beta2, Eps float64
	WeightDecay       float64
	Decoupled         bool
	Decay             func(p *Node) bool    // which parameters decay; nil: all
	Rate              func(p *Node) float64 // a parameter's own factor of the learning rate; nil: 1
}

// own is a rate, or a step, as a parameter has it.
func own(g *Graph, rate *Node, factor func(p *Node) float64, p *Node) *Node {
	if factor == nil || factor(p) == 1 {
		return rate
	}
	return g.Scale(rate, factor(p))
}

// checkOptimizer is what every optimiser asks of its operands; the graph's updates check the shapes.
func checkOptimizer(g *Graph, parameters, gradients []*Node, rate *Node) error {
	if g.err != nil {
		return g.err
	}
	if len(parameters) != len(gradients) {
		return fmt.Errorf("graph: optimizer: %d parameters but %d gradients", len(parameters), len(gradients))
	}
	for i, p := range parameters {
		if p == nil || gradients[i] == nil || !p.shape.Equal(gradients[i].shape) {
			return fmt.Errorf("graph: optimizer: parameter %v has a gradient %v", p, gradients[i])
		}
	}
	if rate == nil || rate.shape.Size() != 1 {
		return fmt.Errorf("graph: optimizer: wanted a scalar learning rate, got %v", rate)
	}
	return nil
}

// Apply adds the updates of all parameters.
func (o SGD) Apply(g *Graph, parameters, gradients []*Node, rate *Node) error {
	if err := checkOptimizer(g, parameters, gradients, rate); err != nil {
		return err
	}
	defer g.Scope("sgd")()
	for i, p := range parameters {
		d := gradients[i]
		if o.WeightDecay != 0 && (o.Decay == nil || o.Decay(p)) {
			d = g.Add(d, g.Scale(p, o.WeightDecay))
		}
		if o.Momentum != 0 {
			b := g.State("sgd.momentum."+p.name, nil, p.shape...)
			d = g.Add(g.Scale(b, o.Momentum), d)
			g.Update(b, d)
		}
		g.Update(p, g.Sub(p, g.Mul(d, own(g, rate, o.Rate, p))))
	}
	return g.err
}

// Apply adds the updates of all parameters.
func (o Adam) Apply(g *Graph, parameters, gradients []*Node, rate *Node) error {
	if err := checkOptimizer(g, parameters, gradients, rate); err != nil {
		return err
	}
	defer g.Scope("adam")()
	o.Beta1, o.Beta2, o.Eps = cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.999), cmp.Or(o.Eps, 1e-8)
	// 1-βᵗ, kept as c ← β·c + (1-β): exact at the first step, where 1-0.999 would lose its digits in float32.
	c1, c2 := correction(g, "adam.correction1", o.Beta1), correction(g, "adam.correction2", o.Beta2)
	step, root := g.Div(rate, c1), g.Div(g.Scalar(1), g.Sqrt(c2))
	for i, p := range parameters {
		o.update(g, p, gradients[i], own(g, rate, o.Rate, p), own(g, step, o.Rate, p), root)
	}
	return g.err
}

func correction(g *Graph, name string, beta float64) *Node {
	c := g.State(name, nil)
	next := g.Add(g.Scale(c, beta), g.Scalar(1-beta))
	g.Update(c, next)
	return next
}

// update is m ← β₁m + (1-β₁)∇, v ← β₂v + (1-β₂)∇², p ← p - step·m/(√v·root + eps).
func (o Adam) update(g *Graph, p, d, rate, step, root *Node) {
	decays := o.WeightDecay != 0 && (o.Decay == nil || o.Decay(p))
	if decays && !o.Decoupled {
		d = g.Add(d, g.Scale(p, o.WeightDecay))
	}
	m, v := g.State("adam.m."+p.name, nil, p.shape...), g.State("adam.v."+p.name, nil, p.shape...)
	m1 := g.Add(g.Scale(m, o.Beta1), g.Scale(d, 1-o.Beta1))
	v1 := g.Add(g.Scale(v, o.Beta2), g.Scale(g.Mul(d, d), 1-o.Beta2))
	old := p
	if decays && o.Decoupled {
		old = g.Mul(p, g.Sub(g.Scalar(1), g.Scale(rate, o.WeightDecay)))
	}
	denominator := g.Add(g.Mul(g.Sqrt(v1), root), g.Scalar(o.Eps))
	g.Update(m, m1)
	g.Update(v, v1)
	g.Update(p, g.Sub(old, g.Div(g.Mul(m1, step), denominator)))
}

// ClipNorm scales gradients down together so that their joint Euclidean norm is at most limit, as PyTorch's
// clip_grad_norm_ does, and also gives that norm before scaling.
func (g *Graph) ClipNorm(gradients []*Node, limit float64) (clipped []*Node, norm *Node) {
	defer g.Scope("clip")()
	total := g.Scalar(0)
	for _, d := range gradients {
		total = g.Add(total, g.Sum(g.Mul(d, d)))
	}
	norm = g.Sqrt(total)
	ratio := g.Div(g.Scalar(limit), g.Add(norm, g.Scalar(1e-6)))
	ratio = g.Where(g.Less(ratio, g.Scalar(1)), ratio, g.Scalar(1))
	for _, d := range gradients {
		clipped = append(clipped, g.Mul(d, ratio))
	}
	return clipped, norm
}
