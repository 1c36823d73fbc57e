package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/internal/plural"
	"graft/onnx"
	"graft/pretrained"
)

func modelInfoCommand() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "tell what an ONNX file holds",
		ArgsUsage: "FILE.onnx",
		Description: `Reads any ONNX file: inputs, outputs, metadata, operators and the size of its
weights. ONNX Runtime is not needed for it.

   graft model info vit_b_16.onnx
   graft model info vit_b_16.onnx --json -`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			m, err := onnx.Open(c.Args().First())
			if err != nil {
				return err
			}
			defer m.Close()
			report := modelReport{valueReports(m.Inputs), valueReports(m.Outputs), m.Metadata, pretrained.Parameters(m)}
			return cmp.Or(printModel(humanOut(c), m), writeJSON(c, "graft-model-1", report))
		},
	}
}

// modelReport is the JSON of model info.
type modelReport struct {
	Inputs   []valueReport     `json:"inputs"`
	Outputs  []valueReport     `json:"outputs"`
	Metadata map[string]string `json:"metadata"`
	// Parameters are the learned numbers.
	Parameters int64 `json:"parameters"`
}

// valueReport is an input or output. A dimension is a number, the name of a
// symbolic one, or null where the file leaves it open; so is the shape itself.
type valueReport struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []any  `json:"shape"`
}

func valueReports(values []onnx.Value) []valueReport {
	out := make([]valueReport, len(values))
	for i, v := range values {
		out[i] = valueReport{Name: v.Name, Type: v.Type.String()}
		if v.Dims != nil {
			out[i].Shape = make([]any, len(v.Dims))
		}
		for j, d := range v.Dims {
			if d.Name != "" {
				out[i].Shape[j] = d.Name
			} else if d.Value > 0 {
				out[i].Shape[j] = d.Value
			}
		}
	}
	return out
}

func printModel(w io.Writer, m *onnx.Model) error {
	t := columns.New(w, 2)
	for _, v := range m.Inputs {
		fmt.Fprintf(t, "input\t%v\n", v)
	}
	for _, v := range m.Outputs {
		fmt.Fprintf(t, "output\t%v\n", v)
	}
	for _, v := range m.NoTensors {
		fmt.Fprintf(t, "left out\toutput %s\n", v)
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		fmt.Fprintf(t, "metadata\t%s = %s\n", key, m.Metadata[key])
	}
	fmt.Fprintf(t, "producer\t%s %s\n", m.Producer, m.ProducerVersion)
	fmt.Fprintf(t, "format\tIR version %d, opset %d", m.IRVersion, m.Opset)
	for _, domain := range slices.Sorted(maps.Keys(m.Domains)) {
		fmt.Fprintf(t, ", %s %d", domain, m.Domains[domain])
	}
	fmt.Fprintf(t, "\nnodes\t%d\nparameters\t%d\nweights\t%s, %s\n", len(m.Nodes), pretrained.Parameters(m), plural.Of(len(m.Initializers), "tensor"), plural.Of(m.WeightBytes(), "byte"))
	return t.Flush()
}
