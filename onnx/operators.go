package onnx

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"graft/onnx/onnxpb"
)

// operatorTable is ONNX's own operators and their versions; scripts/onnx_operators.py writes it and says what a line
// holds.
//
//go:embed operators.txt
var operatorTable string

// operator is one version of an operator.
type operator struct {
	since           int64
	inputs, outputs span
	attrs           map[string]string // by name: the type, as in INTS, and a ! where it must be there
	gone            bool
}

// span is a number of inputs or outputs, in words as in the table: 2, 1-3, 1-*.
type span struct {
	least, most int
	words       string
}

// operators maps names to versions, oldest first; newest is the last operator set that they cover.
var operators = sync.OnceValues(func() (table map[string][]operator, newest int64) {
	first, rest, _ := strings.Cut(strings.TrimSpace(operatorTable), "\n")
	newest, _ = strconv.ParseInt(first, 10, 64)
	table = map[string][]operator{}
	for line := range strings.SplitSeq(rest, "\n") {
		words := strings.Fields(line)
		o := operator{gone: words[2] == "gone", attrs: map[string]string{}}
		o.since, _ = strconv.ParseInt(words[1], 10, 64)
		if !o.gone {
			o.inputs, o.outputs = parseSpan(words[2]), parseSpan(words[3])
			for _, w := range words[4:] {
				name, kind, _ := strings.Cut(w, ":")
				o.attrs[name] = kind
			}
		}
		table[words[0]] = append(table[words[0]], o)
	}
	return table, newest
})

func parseSpan(words string) span {
	least, most, open := strings.Cut(words, "-")
	s := span{most: math.MaxInt, words: words}
	s.least, _ = strconv.Atoi(least)
	if !open {
		s.most = s.least
	} else if most != "*" {
		s.most, _ = strconv.Atoi(most)
	}
	return s
}

// checkOperator wants a node of ONNX's own operators to have the inputs, outputs and attributes that the model's
// operator set gives it. Sets newer than the table are passed over.
func (m *Model) checkOperator(n Node, attrs map[string]*onnxpb.AttributeProto) error {
	table, newest := operators()
	if m.Opset > newest {
		return nil
	}
	versions := table[n.Op]
	if versions == nil {
		return fmt.Errorf("ONNX has no operator of this name up to operator set %d", newest)
	}
	err := fmt.Errorf("the operator came with operator set %d", versions[0].since)
	for _, o := range versions {
		if o.since <= m.Opset {
			err = o.check(n, attrs)
		} else if err != nil && o.check(n, attrs) == nil {
			return fmt.Errorf("%w: the model is of operator set %d and the node wants %d or later; export the model again with that", err, m.Opset, o.since)
		}
	}
	return err
}

func (o operator) check(n Node, attrs map[string]*onnxpb.AttributeProto) error {
	if o.gone {
		return fmt.Errorf("the operator was withdrawn with operator set %d", o.since)
	}
	if k := len(n.Inputs); k < o.inputs.least || k > o.inputs.most {
		return fmt.Errorf("%d inputs, want %s", k, o.inputs.words)
	}
	if k := len(n.Outputs); k < o.outputs.least || k > o.outputs.most {
		return fmt.Errorf("%d outputs, want %s", k, o.outputs.words)
	}
	for i, name := range n.Inputs[:o.inputs.least] {
		if name == "" {
			return fmt.Errorf("input %d is left out", i)
		}
	}
	for name, a := range attrs {
		kind := strings.TrimSuffix(o.attrs[name], "!")
		switch {
		case kind == "" && !strings.HasPrefix(name, "__"): // which are a tool's own
			return fmt.Errorf("no attribute is called %q", name)
		case kind != "" && a.GetRefAttrName() == "" && a.GetType().String() != kind:
			return fmt.Errorf("attribute %q is %v, want %s", name, a.GetType(), kind)
		}
	}
	for name, kind := range o.attrs {
		if strings.HasSuffix(kind, "!") && attrs[name] == nil {
			return fmt.Errorf("attribute %q is missing", name)
		}
	}
	return nil
}
