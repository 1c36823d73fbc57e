package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/ship"
)

// exportCommand joins a run and its backbone into one ONNX file.
func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write one ONNX file from pixels to probabilities",
		ArgsUsage: "RUN",
		Description: "Joins backbone, features, head and softmax, or writes a cnn or vit; the labels lie in the file's metadata (graft.labels):\n\n" +
			"   graft export runs/head --out faces.onnx\n" +
			"   graft predict faces.onnx photo.jpg",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Required: true, Usage: "ONNX `FILE` to write"},
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			jsonFlag(),
		}, foreignFlags()...),
		Action: export,
	}
}

func export(c *cli.Context) error {
	if err := refuseBackbone(c, c.Args().First()); err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	e, err := ship.Export(c.Context, ship.Config{
		Run: c.Args().First(), Model: c.String("model"), Foreign: o.Foreign, Out: c.String("out"), Version: version(),
	})
	if err != nil {
		return err
	}
	e.Notes = append(e.Notes, notTried()...)
	out := humanOut(c)
	fmt.Fprintf(out, "%s: %s → %s\n", e.File, strings.Join(e.Inputs, "; "), strings.Join(e.Outputs, "; "))
	fmt.Fprintf(out, "labels: %s\n", strings.Join(e.Labels, ", "))
	for _, n := range e.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	return writeJSON(c, "graft-export-1", e)
}
