package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/finetune/demo"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
	"graft/report"
)

// demoCommand runs the main job from one end to the other.
func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "the main job end to end: data, backbone, embeddings, head, figures, one ONNX file, a prediction",
		Description: "Without flags it draws its own faces and fetches the zoo's smallest network; where that cannot be had it takes\n" +
			"the small one that graft brings, and shows it frozen, partly unfrozen, and its shape trained from scratch.\n" +
			"It ends in a page, report.html. Started again it goes on from what its work folder holds:\n\n" +
			"   graft demo --offline\n" +
			"   graft demo --data fer2013.tar.gz --weights vit_b_16-c867db91.pth",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Value: "demo", Usage: "work `FOLDER`"},
			&cli.StringFlag{Name: "data", Value: dataset.SyntheticPath, Usage: "`DATASET`: fer2013.csv (also .gz, .tar.gz, .zip), an image folder or its .zip, or the word synthetic"},
			&cli.StringFlag{Name: "weights", Usage: "checkpoint (.pth, .safetensors) or ONNX backbone: `FILE` (default: " + demo.ZooName + " from the zoo, else the one that graft brings)"},
			&cli.BoolFlag{Name: "offline", Usage: "do not try to fetch weights: take those that graft brings"},
			atLeast(1, &cli.IntFlag{Name: "per-class", Value: demo.PerClass, Usage: "training `IMAGES` a class of the synthetic set"}),
			atLeast(0, &cli.IntFlag{Name: "limit", Usage: "at most so many `IMAGES` of each split (0: all)"}),
			between(0, store.MaxBatch, &cli.IntFlag{Name: "batch", Usage: "`IMAGES` per inference (0: extract's default)"}),
			&cli.StringFlag{Name: "taps", Usage: "features: `TAPS` such as cls,mean,cls_9, or all (default: cls, mean and cls of the last four blocks)"},
			openFlag(), skipBadFlag(), seedFlag(), jsonFlag(),
		}, providerFlags()...),
		Action: resumes(runDemo),
	}
}

func runDemo(c *cli.Context) error {
	if err := refuseDrawn(c, "per-class"); err != nil {
		return err
	}
	if c.IsSet("weights") {
		if err := refuse(c, "with --weights nothing is fetched", "offline"); err != nil {
			return err
		}
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	result, err := demo.Run(c.Context, demo.Config{
		Out: c.String("out"), Weights: c.String("weights"), Offline: c.Bool("offline"),
		Data: dataRef(c),
		Seed: c.Uint64("seed"), Limit: c.Int("limit"), Batch: c.Int("batch"), Taps: splitWords(c.String("taps")),
		Runtime: o.Runtime, Version: version(), Output: humanOut(c),
		Progress: func(label string) func(done, total int64) { return newProgress(c, label) },
	})
	if err != nil {
		return err
	}
	result.Page = filepath.Join(result.Folder, "report.html")
	if _, err := writePage(c, report.Config{Runs: result.Runs(), Program: madeBy(c), Progress: observer(c).Progress}, result.Page); err != nil {
		return err
	}
	fmt.Fprintln(humanOut(c), "open that page in a browser: it shows what was learned, and which faces are taken for what")
	return writeJSON(c, "graft-demo-1", result)
}
