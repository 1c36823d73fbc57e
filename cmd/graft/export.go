package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/ship"
	"graft/serve"
)

// exportCommand joins a run and its backbone into one ONNX file.
func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write one ONNX file from pixels to probabilities",
		ArgsUsage: "RUN",
		Description: "Joins backbone, features, head and softmax, or writes a cnn or vit. Beside the file lie its labels and a model card:\n\n" +
			"   graft export runs/head --out faces.onnx\n" +
			"   graft predict faces.onnx photo.jpg\n" +
			"   graft export runs/head --out photos.onnx --whole-image\n" +
			"   graft export runs/head --web site\n\n" +
			"Of a backbone that graft train backbone tuned, the file is its own graph with the weights that were learned:\n\n" +
			"   graft export runs/tuned --backbone --out tuned.onnx\n" +
			"   graft export runs/tuned --adapter tuned.safetensors",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "ONNX `FILE` to write"},
			&cli.StringFlag{Name: "web", Usage: "write a page to `FOLDER` in which the model runs in the browser, offline once it was opened"},
			&cli.StringFlag{Name: "web-runtime", Usage: "`FOLDER` dist of npm's " + serve.WebRuntime + " (default: npm fetches it into the user's cache)"},
			&cli.StringFlag{Name: "adapter", Usage: "of a tuned backbone: write what was learned of it alone to a safetensors `FILE`, for graft model apply"},
			&cli.BoolFlag{Name: "whole-image", Usage: "have the file take photographs of any size, bytes [N,H,W,C] as image libraries decode them: resize and crop are in the graph"},
			&cli.BoolFlag{Name: "snippets", Usage: "write programs beside the file that call it: Python, a page for browsers, and Go"},
			&cli.BoolFlag{Name: "backbone", Usage: "of a tuned backbone: write it with its own outputs, for graft extract and rank"},
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
	if given := len(slices.DeleteFunc([]string{c.String("out"), c.String("adapter"), c.String("web")}, func(s string) bool { return s == "" })); given != 1 {
		return usageErrorf("export wants one of --out, a file to write, --web and --adapter")
	}
	if c.String("web") == "" {
		if err := refuse(c, "only a page runs in the browser", "web-runtime"); err != nil {
			return err
		}
	}
	if path := c.String("adapter"); path != "" {
		if err := refuse(c, "an adapter is what was learned alone", append(foreignNames, "model", "backbone", "whole-image", "snippets", "json")...); err != nil {
			return err
		}
		err := ship.Adapter(c.Args().First(), path)
		if err == nil {
			fmt.Fprintln(humanOut(c), path)
		}
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	config := ship.Config{Run: c.Args().First(), Model: c.String("model"), Foreign: o.Foreign, Out: c.String("out"), Whole: c.Bool("whole-image"), Version: version(), Snippets: c.Bool("snippets")}
	if c.String("web") != "" {
		return exportSite(c, config)
	}
	write := ship.Export
	if c.Bool("backbone") {
		if err := refuse(c, "a backbone is written as it is, and classifies nothing", "whole-image", "snippets"); err != nil {
			return err
		}
		write = ship.Backbone
	}
	e, err := write(c.Context, config)
	if err != nil {
		return err
	}
	return printExported(c, e)
}

// printExported tells what was written.
func printExported(c *cli.Context, e ship.Exported) error {
	e.Notes = append(e.Notes, notTried()...)
	out := humanOut(c)
	fmt.Fprintf(out, "%s: %s → %s\n", e.File, strings.Join(e.Inputs, "; "), strings.Join(e.Outputs, "; "))
	if e.Labels != nil {
		fmt.Fprintf(out, "labels: %s\n", strings.Join(e.Labels, ", "))
	}
	if e.Card != "" {
		fmt.Fprintf(out, "beside it: %s, %s\n", filepath.Base(e.LabelsFile), filepath.Base(e.Card))
	}
	for _, s := range e.Snippets {
		fmt.Fprintf(out, "a program that calls it: %s\n", s)
	}
	for _, n := range e.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	return writeJSON(c, "graft-export-1", e)
}
