package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"graft/onnx/precision"
	"graft/pretrained"
)

// rewriteReport is the JSON of model export where the weights are an ONNX file.
type rewriteReport struct {
	Out       string         `json:"out"`
	Bytes     int64          `json:"bytes"`
	Precision precision.Kind `json:"precision"`
	Products  int            `json:"products"` // rewritten
	Seconds   float64        `json:"seconds"`
	Notes     []string       `json:"notes,omitempty"`
}

// modelRewrite gives an ONNX file, graft's or another's, another precision.
func modelRewrite(c *cli.Context, kind precision.Kind) error {
	for _, name := range c.LocalFlagNames() {
		switch name {
		case "weights", "out", "precision", "json":
		default:
			return usageErrorf("--%s is for checkpoints; an ONNX file takes --precision only", name)
		}
	}
	if kind == precision.Float32 {
		return usageErrorf("%s is an ONNX file already: say --precision int8 or fp16", c.String("weights"))
	}
	start := time.Now()
	r := rewriteReport{Out: c.String("out"), Precision: kind}
	var err error
	if r.Products, err = precision.ConvertFile(c.String("weights"), r.Out, kind, pretrained.Try); err != nil {
		return err
	}
	info, err := os.Stat(r.Out)
	if err != nil {
		return err
	}
	r.Bytes, r.Seconds = info.Size(), time.Since(start).Seconds()
	fmt.Fprintf(humanOut(c), "%s: %d products in %s (%.1f MB, %.1f s)\n", r.Out, r.Products, kind, float64(r.Bytes)/1e6, r.Seconds)
	if r.Notes = notTried(); len(r.Notes) > 0 {
		fmt.Fprintf(humanOut(c), "note: %s\n", r.Notes[0])
	}
	return writeJSON(c, "graft-model-export-1", r)
}
