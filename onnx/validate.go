package onnx

import (
	"errors"
	"fmt"

	"graft/onnx/onnxpb"
)

// Validate checks the model's structure: names given once, every input of every
// node defined before it, every output of the model produced, weights as large
// as their shapes say, operator sets named, and of ONNX's own operators the number
// of inputs and outputs and the attributes that the model's operator set gives them.
// What the operators want of types and shapes is the runtime's to check, as are
// operators of other domains and graphs within nodes.
func (m *Model) Validate() error {
	if m.Opset < 1 {
		return fmt.Errorf("opset %d: want 1 or more", m.Opset)
	}
	if len(m.Outputs) == 0 {
		return errors.New("the model has no outputs")
	}
	defined := map[string]bool{}
	define := func(what, name string) error {
		if name == "" {
			return fmt.Errorf("%s without a name", what)
		}
		if defined[name] {
			return fmt.Errorf("%s %q: the name is taken", what, name)
		}
		defined[name] = true
		return nil
	}
	for _, v := range m.Inputs {
		if err := define("input", v.Name); err != nil {
			return err
		}
	}
	for _, t := range m.Initializers {
		if err := errors.Join(define("initialiser", t.Name), t.check()); err != nil {
			return err
		}
	}
	for _, t := range m.extra.graph.GetSparseInitializer() {
		defined[t.GetValues().GetName()] = true
	}
	for i, n := range m.Nodes {
		if err := m.validateNode(n, defined, define); err != nil {
			return fmt.Errorf("node %d %q (%s): %w", i, n.Name, n.Op, err)
		}
	}
	return validateOutputs(m.Outputs, defined)
}

func validateOutputs(outputs []Value, defined map[string]bool) error {
	seen := map[string]bool{}
	for _, v := range outputs {
		switch {
		case !defined[v.Name]:
			return fmt.Errorf("output %q: nothing produces it", v.Name)
		case seen[v.Name]:
			return fmt.Errorf("output %q is listed twice", v.Name)
		case v.Type == Undefined:
			return fmt.Errorf("output %q has no type", v.Name)
		}
		seen[v.Name] = true
	}
	return nil
}

func (m *Model) validateNode(n Node, defined map[string]bool, define func(what, name string) error) error {
	if n.Op == "" {
		return errors.New("no operator")
	}
	if _, ok := m.Domains[n.Domain]; !ok && n.Domain != "" {
		return fmt.Errorf("domain %q is not among the model's operator sets", n.Domain)
	}
	for name := range n.Reads() {
		if !defined[name] {
			return fmt.Errorf("input %q is not defined before it", name)
		}
	}
	for _, name := range n.Outputs {
		if name == "" {
			continue // an optional output left out
		}
		if err := define("output", name); err != nil {
			return err
		}
	}
	attrs := map[string]*onnxpb.AttributeProto{}
	for _, a := range n.Attrs {
		if attrs[a.Name] != nil || a.Name == "" {
			return fmt.Errorf("attribute %q is given twice or has no name", a.Name)
		}
		var err error
		if attrs[a.Name], err = a.proto(); err != nil {
			return fmt.Errorf("attribute %q: %w", a.Name, err)
		}
	}
	if n.Domain != "" {
		return nil
	}
	return m.checkOperator(n, attrs)
}
