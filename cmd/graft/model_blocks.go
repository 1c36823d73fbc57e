package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/internal/plural"
	"graft/onnx"
	"graft/pretrained/blocks"
)

func modelBlocksCommand() *cli.Command {
	return &cli.Command{
		Name:      "blocks",
		Usage:     "list where a network can be cut, and what lies behind each cut",
		ArgsUsage: "FILE.onnx",
		Description: `Tells a network's blocks from its structure, whoever exported it: residual units, of a
transformer attention and perceptron together, and units of depthwise convolutions. Each
line is a tensor through which everything passes, with the learned parameters and the
multiplications of one image behind it. Training may begin at any of them. ONNX Runtime is
not needed for it.

   graft model blocks vit_b_16.onnx
   graft model blocks resnet.onnx --input-size 224 --json -`,
		Flags: []cli.Flag{
			atLeast(1, &cli.IntFlag{Name: "input-size", Usage: "side of the input in `PIXELS`, where the file leaves it open"}),
			jsonFlag(),
		},
		Action: modelBlocks,
	}
}

// blocksReport is the JSON of model blocks.
type blocksReport struct {
	Input struct {
		Name  string `json:"name"`
		Shape []int  `json:"shape"`
	} `json:"input"`
	Blocks int          `json:"blocks"`
	Cuts   []blocks.Cut `json:"cuts"`
}

func modelBlocks(c *cli.Context) error {
	m, err := onnx.Open(c.Args().First())
	if err != nil {
		return err
	}
	defer m.Close()
	shape, err := blocks.Input(m, c.Int("input-size"))
	if err != nil {
		return usageErrorf("%s: %w (--input-size)", c.Args().First(), err)
	}
	var r blocksReport
	if r.Cuts, err = blocks.Find(m, shape); err != nil {
		return fmt.Errorf("%s: %w", c.Args().First(), err)
	}
	r.Input.Name, r.Input.Shape, r.Blocks = m.Inputs[0].Name, shape, len(r.Cuts)-1
	return cmp.Or(r.print(humanOut(c)), writeJSON(c, "graft-blocks-1", r))
}

func (r blocksReport) print(out io.Writer) error {
	w := columns.New(out, 2)
	fmt.Fprintf(w, "input %s %s, %s\n\n", r.Input.Name, bracketed(r.Input.Shape), plural.Of(r.Blocks, "block"))
	fmt.Fprintln(w, "BLOCKS BEHIND\tPARAMETERS\tMILLION MACS\tSHAPE\tTENSOR")
	for _, k := range r.Cuts {
		fmt.Fprintf(w, "%d\t%d\t%.4g\t%s\t%s\n", r.Blocks-k.Block, k.Parameters, float64(k.MACs)/1e6, bracketed(k.Shape), k.Tensor)
	}
	return w.Flush()
}

func bracketed(shape []int) string { return strings.ReplaceAll(fmt.Sprint(shape), " ", ",") }
