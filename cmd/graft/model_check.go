package main

import (
	"cmp"
	"os"

	"github.com/urfave/cli/v2"

	"graft/finetune/check"
	"graft/pretrained/store"
)

// modelCheckCommand compares the features of two backbones.
func modelCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "compare the features of two backbones, such as int8 and its float32 file",
		ArgsUsage: "A B",
		Description: "Runs both ONNX files over the same images, A being the reference, and tells for every tap the cosine similarity,\n" +
			"the relative error, and the accuracy that a linear probe loses: one is trained on A's features and one on B's,\n" +
			"with the same L-BFGS, and both are judged on the same images of the other splits, or on a third held out:\n\n" +
			"   graft model check vit_b_16.onnx vit_b_16.int8.onnx --data fer2013.csv --limit 500\n" +
			"   graft model check embeddings embeddings.int8 --json -\n\n" +
			"The second form compares two embedding stores of the same images, without running anything. The last line says\n" +
			"whether B may take A's place.",
		Flags: append(append(optionalData(), append(providerFlags(), foreignFlags()...)...),
			atLeast(0, &cli.IntFlag{Name: "limit", Value: 500, Usage: "at most so many `IMAGES` of each split (0: all)"}),
			&cli.StringFlag{Name: "taps", Value: "all", Usage: "features to compare: `TAPS` such as cls,mean"},
			between(1, store.MaxBatch, &cli.IntFlag{Name: "batch", DefaultText: batchText, Usage: "`IMAGES` per inference"}),
			seedFlag(), jsonFlag()),
		Action: modelCheck,
	}
}

// optionalData is datasetFlags with --data left to the action, which does not
// need it for stores.
func optionalData() []cli.Flag {
	flags := datasetFlags()
	flags[0].(*cli.StringFlag).Required = false
	return flags
}

func modelCheck(c *cli.Context) error {
	compare := checkFiles
	if isFolder(c.Args().Get(0)) && isFolder(c.Args().Get(1)) {
		compare = checkStores
	}
	r, err := compare(c)
	if err != nil {
		return err
	}
	return cmp.Or(r.WriteTable(humanOut(c)), writeJSON(c, "graft-check-1", struct {
		check.Report
		Verdict check.Verdict `json:"verdict"`
	}{r, r.Verdict()}))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func checkStores(c *cli.Context) (r check.Report, err error) {
	if err := refuse(c, "embedding stores have their images' features already", flagNames(c.Command.Flags, "seed", "json")...); err != nil {
		return r, err
	}
	var stores [2]*store.Store
	for i := range stores {
		if stores[i], err = store.Open(c.Args().Get(i)); err != nil {
			return r, err
		}
	}
	return check.Stores(c.Context, stores[0], stores[1], c.Uint64("seed"), c.Int("threads"), newProgress(c, "comparing (taps)"))
}

func checkFiles(c *cli.Context) (r check.Report, err error) {
	if c.String("data") == "" {
		return r, usageErrorf("--data is missing or empty; see '%s --help'", commandName(c))
	}
	if err := refuse(c, "features do not depend on votes", "ferplus"); err != nil {
		return r, err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return r, err
	}
	data, err := openDataset(c)
	if err != nil {
		return r, err
	}
	defer closeInto(&err, data)
	return check.Run(c.Context, check.Config{
		A: c.Args().Get(0), B: c.Args().Get(1), Data: data, Limit: c.Int("limit"), Taps: splitWords(c.String("taps")),
		Batch: c.Int("batch"), SkipBad: c.Bool("skip-bad"), Foreign: o.Foreign, Runtime: o.Runtime, Seed: c.Uint64("seed"),
		Progress: func(label string) func(done, total int64) { return newProgress(c, label) },
	})
}
