package main

import (
	"github.com/urfave/cli/v2"

	"graft/finetune/ship"
)

// modelApplyCommand puts an adapter on a backbone.
func modelApplyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "write a backbone with the changes that fine-tuning made to it",
		ArgsUsage: "FILE ADAPTER",
		Description: "The adapter, which graft export --adapter wrote, has to be of this backbone: its SHA-256 is compared. The file written\n" +
			"has the backbone's own outputs:\n\n" +
			"   graft export runs/tuned --adapter tuned.safetensors\n" +
			"   graft model apply vit_ti_16.onnx tuned.safetensors --out tuned.onnx",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Required: true, Usage: "ONNX `FILE` to write"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			e, err := ship.Apply(c.Context, c.Args().Get(0), c.Args().Get(1), c.String("out"), version())
			if err != nil {
				return err
			}
			return printExported(c, e)
		},
	}
}
