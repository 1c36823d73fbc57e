package main

import (
	"cmp"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/rank"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// rankCommand compares backbones on a sample.
func rankCommand() *cli.Command {
	return &cli.Command{
		Name:      "rank",
		Usage:     "compare backbones on a sample: accuracy of neighbours and of a quick probe, speed, size",
		ArgsUsage: "BACKBONE...",
		Description: "Draws a sample from train, every class by its share, runs each backbone over it and judges each tap: by the 20\n" +
			"nearest of the other images, and by a linear probe in 5-fold cross-validation. A BACKBONE is an ONNX file or a\n" +
			"name of the zoo that was pulled. The test splits are not touched unless --split names them:\n\n" +
			"   graft rank --data fer2013.csv vit_tiny.onnx vit_b_16 dino_vits16\n" +
			"   graft rank --data photos/ --sample 500 --taps all vit_tiny.onnx --json -\n" +
			"   graft rank --data photos/ vit_b_16 resnet.onnx --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225\n\n" +
			"Each two backbones' best probes are tested on the same images (exact McNemar, Holm's correction). The last line\n" +
			"recommends one: those that cannot be told from the best count as equal, and of equals the fastest is taken.\n" +
			"Features lie in the system's folder for temporary files meanwhile.",
		Flags: slices.Concat([]cli.Flag{dataFlag(), groupByFlag(), skipBadFlag(), perClassFlag()}, sharesFlags(), providerFlags(), foreignFlags(), []cli.Flag{
			atLeast(0, &cli.IntFlag{Name: "sample", Value: rank.DefaultSample, Usage: "about so many `IMAGES` are drawn, every class by its share (0: all)"}),
			&cli.StringFlag{Name: "split", Value: dataset.Train, Usage: "`SPLITS` to draw from, separated by commas"},
			&cli.StringFlag{Name: "taps", Usage: "features to judge: `TAPS` such as cls,mean,cls_9, or all (default: those at the end, and after half and three quarters of the blocks)"},
			between(1, store.MaxBatch, &cli.IntFlag{Name: "batch", DefaultText: batchText, Usage: "`IMAGES` per inference"}),
			modelsDirFlag(), seedFlag(), jsonFlag(),
		}),
		Action: rankAction,
	}
}

func rankAction(c *cli.Context) (err error) {
	config, err := rankConfig(c)
	if err != nil {
		return err
	}
	if config.Data, err = openDataset(c); err != nil {
		return err
	}
	defer closeInto(&err, config.Data)
	r, err := rank.Run(c.Context, config)
	if err != nil {
		return err
	}
	return cmp.Or(r.WriteTable(humanOut(c)), writeJSON(c, "graft-rank-1", r))
}

// rankConfig reads all flags but the dataset's.
func rankConfig(c *cli.Context) (rank.Config, error) {
	if err := refuseDrawn(c, "per-class"); err != nil {
		return rank.Config{}, err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return rank.Config{}, err
	}
	if !slices.ContainsFunc(c.Args().Slice(), func(name string) bool { _, err := os.Stat(name); return err != nil }) {
		if err := refuse(c, "all backbones are files", "dir"); err != nil {
			return rank.Config{}, err
		}
	}
	files, err := rank.Find(c.Args().Slice(), c.String("dir"))
	if err != nil {
		return rank.Config{}, err
	}
	watch := observer(c)
	return rank.Config{
		Backbones: files, Foreign: o.Foreign, Runtime: o.Runtime, Taps: splitWords(c.String("taps")), Splits: splitWords(c.String("split")),
		Sample: c.Int("sample"), Seed: c.Uint64("seed"), Batch: c.Int("batch"), SkipBad: c.Bool("skip-bad"),
		Log: watch.Log, Progress: watch.Progress,
	}, nil
}
