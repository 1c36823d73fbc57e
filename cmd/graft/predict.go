package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"graft/finetune/model"
)

// predictCommand classifies image files.
func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "label and probabilities for image files",
		ArgsUsage: "RUN IMAGE...",
		Description: "RUN is a run folder, or an ONNX file that graft export wrote. A file that cannot be read is named, the others\n" +
			"are still classified, and the exit status is 1:\n\n" +
			"   graft predict runs/head photo.jpg face.png --top 3\n" +
			"   graft predict faces.onnx photo.jpg --json -",
		Flags: append(append([]cli.Flag{
			atLeast(0, &cli.IntFlag{Name: "top", Value: 3, Usage: "show the `N` most probable classes (0: all)"}),
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			jsonFlag(),
		}, providerFlags()...), foreignFlags()...),
		Action: predict,
	}
}

func predict(c *cli.Context) (err error) {
	if err := refuseBackbone(c, c.Args().First()); err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	p, err := model.Open(c.Context, c.Args().First(), model.Options{Runtime: o.Runtime, Model: c.String("model"), Foreign: o.Foreign})
	if err != nil {
		return err
	}
	defer closeInto(&err, p)
	for _, n := range p.Notes() {
		logf(c, "note: %s", n)
	}
	out := humanOut(c)
	list, err := p.Files(c.Context, c.Args().Tail(), c.Int("top"), func(one model.Prediction) {
		if one.Error != "" {
			fmt.Fprintln(c.App.ErrWriter, "graft:", one.Error)
		} else {
			printPrediction(out, one)
		}
	})
	if list == nil {
		return err
	}
	return cmp.Or(writeJSON(c, "graft-predict-1", list), err)
}

func printPrediction(out io.Writer, p model.Prediction) {
	fmt.Fprintf(out, "%s:", p.Image)
	sep := ""
	for _, s := range p.Scores {
		fmt.Fprintf(out, "%s %s %.1f%%", sep, s.Label, 100*s.Probability)
		sep = ","
	}
	fmt.Fprintln(out)
}
