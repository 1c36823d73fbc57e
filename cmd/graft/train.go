package main

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/train"
)

// trainCommand groups what makes run folders.
func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a model and write a run folder",
		Description: "A run folder holds the settings, the weights, the history, the metrics and the predictions:\n\n" +
			"   graft train head --embeddings embeddings --out runs/head\n" +
			"   graft train cnn --data fer2013.csv --out runs/cnn",
		Subcommands: []*cli.Command{trainHeadCommand(), trainCNNCommand(), trainViTCommand(), trainBackboneCommand()},
	}
}

// trainNetworkCommand trains a network of a kind on images; about is its description
// but for what all have.
func trainNetworkCommand(kind, usage, about string, net nets.Net) *cli.Command {
	return &cli.Command{Name: kind, Usage: usage, Description: about + repeatText, Flags: networkFlags(net), Action: resumes(trainNetwork(kind))}
}

func trainCNNCommand() *cli.Command {
	return trainNetworkCommand(nets.KindCNN, "train a convolutional network on images",
		"Recipe study is the study's network and setting, recipe strong is ours: a residual network, augmentation, an hour\n"+
			"on two cores. An interrupted training goes on when the same command is started again:\n\n"+
			"   graft train cnn --data fer2013.csv --out runs/cnn\n"+
			"   graft train cnn --data fer2013.csv --out runs/strong --recipe strong\n"+
			"   graft train cnn --data fer2013.csv --out runs/flipped --augment hflip,vflip\n\n", nets.CNN{})
}

func trainViTCommand() *cli.Command {
	return trainNetworkCommand(nets.KindViT, "train a shallow vision transformer on images",
		"Recipe study is the study's transformer and setting, its first weights included (--init sane has better ones);\n"+
			"recipe strong is ours. An interrupted training goes on when the same command is started again:\n\n"+
			"   graft train vit --data fer2013.csv --out runs/vit\n"+
			"   graft train vit --data fer2013.csv --out runs/sane --init sane --depth 4\n"+
			"   graft train vit --data fer2013.csv --out runs/strong --recipe strong\n\n", nets.ViT{})
}

const repeatText = "With --seeds 5 there are five runs below --out, seed-1 to seed-5; with --folds 5 there are fold-1 to fold-5: train\n" +
	"is cut into five, and each run learns from four and is judged on the fifth too, which copies of one image are never\n" +
	"on both sides of. Below --out, summary.json has mean and standard deviation of each figure. Started again, the same\n" +
	"command trains what is missing; graft compare takes the folder as one entry."

// repeatFlags have one setting trained several times.
func repeatFlags() []cli.Flag {
	return grouped(repeatHeading,
		atLeast(2, &cli.IntFlag{Name: "seeds", Usage: "train with so many `SEEDS`, --seed and the next ones, each in a folder below --out"}),
		atLeast(2, &cli.IntFlag{Name: "folds", Usage: "cross-validate on `K` folds of train, each run in a folder below --out"}))
}

func repeats(c *cli.Context) train.Repeats {
	return train.Repeats{Seeds: c.Int("seeds"), Folds: c.Int("folds")}
}

// training is a setting that was checked.
type training interface {
	Run(context.Context, train.Observer) (train.Result, error)
	Repeat(context.Context, train.Repeats, train.Observer) (train.Repeated, error)
}

// runTraining trains where the settings were found good, once or as often as is said, and
// prints the reports.
func runTraining(c *cli.Context, t training, err error) error {
	if err != nil {
		return usageErrorf("%w", err)
	}
	r := repeats(c)
	if r == (train.Repeats{}) {
		result, err := t.Run(c.Context, observer(c))
		if err != nil {
			return err
		}
		err = cmp.Or(printReports(humanOut(c), result.Reports, result.Run.Config.Notes), writeJSON(c, metrics.Schema, result.Reports))
		if out := shellWord(filepath.Clean(c.String("out"))); err == nil {
			next(c, "graft export "+out+" --out "+out+".onnx", "graft predict "+out+".onnx PHOTO...")
		}
		return err
	}
	if r.Seeds != 0 && r.Folds != 0 {
		return usageErrorf("--seeds %d and --folds %d: want one of them", r.Seeds, r.Folds)
	}
	all, err := t.Repeat(c.Context, r, observer(c))
	if err != nil {
		return err
	}
	err = cmp.Or(all.Summary.WriteTable(humanOut(c)), writeJSON(c, metrics.Schema, all.Reports))
	if err == nil {
		next(c, "graft compare "+shellWord(c.String("out"))+" OTHER...")
	}
	return err
}
