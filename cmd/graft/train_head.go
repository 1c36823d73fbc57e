package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/columns"
)

// trainHeadCommand fits a linear classifier on an embedding store.
func trainHeadCommand() *cli.Command {
	return &cli.Command{
		Name:  "head",
		Usage: "train a head on stored embeddings",
		Description: "Fits the train split and judges the head on the others:\n\n" +
			"   graft train head --embeddings embeddings --taps cls,mean --out runs/head\n" +
			"   graft train head --embeddings embeddings --recipe strong --use-flip --out runs/strong\n\n" +
			"Recipe lbfgs standardises the features and fits a multinomial logistic regression, its strength chosen on a\n" +
			"stratified tenth of train. Recipe study is one linear layer by Adam at 1e-4, batches of 32, 10 epochs. Recipe\n" +
			"strong averages four networks with a hidden layer and dropout each.\n\n" + repeatText,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "embeddings", Required: true, Usage: "`FOLDER` of the embedding store"},
			&cli.StringFlag{Name: "out", Required: true, Usage: "run `FOLDER` to write"},
			&cli.StringFlag{Name: "taps", Usage: "features to train on, side by side: `TAPS` such as cls,mean,cls_9, or all (default: all of the store)"},
			&cli.StringFlag{Name: "recipe", Value: run.RecipeLBFGS, Usage: "`RECIPE`: lbfgs, study or strong"},
			&cli.Float64Flag{Name: "lambda", Usage: "`STRENGTH` λ of the penalty λ/2·‖W‖² beside the mean loss (default: chosen on a tenth of train)"},
			groupByFlag(),
			&cli.BoolFlag{Name: "use-flip", Usage: "train on mirrored images too, and average the logits of both at test (needs a store made with --flip)"},
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, to be recorded for predict and export (default: looked for beside the store)"},
			&cli.BoolFlag{Name: "force", Usage: "replace an existing run"},
			seedFlag(), threadsFlag(), jsonFlag(),
		}, imbalanceFlags(), repeatFlags(), descentFlags(), optionFlags(nets.Head{})),
		Action: func(c *cli.Context) error {
			if r := repeats(c); c.String("recipe") == run.RecipeLBFGS && r == (train.Repeats{}) {
				return trainHead(c) // which takes seconds, and starts over
			}
			return resumes(trainHead)(c)
		},
	}
}

func trainHead(c *cli.Context) error {
	config := train.HeadConfig{
		Embeddings: c.String("embeddings"), Out: c.String("out"), Taps: splitWords(c.String("taps")), Model: c.String("model"),
		Recipe: c.String("recipe"), Imbalance: imbalance(c), UseFlip: c.Bool("use-flip"), GroupBy: c.String("group-by"),
		Seed: c.Uint64("seed"), Threads: c.Int("threads"), Force: c.Bool("force"), Program: madeBy(c),
	}
	if c.IsSet("lambda") {
		config.Lambda = new(c.Float64("lambda"))
	}
	if err := setHeadDescent(c, &config); err != nil {
		return usageErrorf("%w", err)
	}
	training, err := config.Check()
	return runTraining(c, training, err)
}

// setHeadDescent reads the flags of gradient descent, which recipe lbfgs has
// not.
func setHeadDescent(c *cli.Context, config *train.HeadConfig) error {
	if config.Recipe == run.RecipeLBFGS {
		err := refuse(c, "recipe "+config.Recipe+" does not have it", flagNames(slices.Concat(descentFlags(), optionFlags(nets.Head{})))...)
		if config.Lambda != nil && !c.IsSet("folds") { // the tenth of train that would choose it is all that a seed draws
			err = cmp.Or(err, refuse(c, "with --lambda recipe "+config.Recipe+" draws nothing", "seed", "seeds"))
		}
		return err
	}
	d, err := train.NewHeadDescent(config.Recipe)
	if err != nil {
		return err
	}
	config.Descent = d
	if err := setDescent(c, &d.Descent); err != nil {
		return err
	}
	d.Net, err = withOptions(c, d.Net)
	return err
}

// printReports prints splits side by side and below them what their reader must
// know.
func printReports(out io.Writer, reports []metrics.Report, notes []string) error {
	if err := metrics.WriteTable(out, reports...); err != nil {
		return err
	}
	t := columns.New(out, 2)
	for _, n := range notes {
		fmt.Fprintf(t, "note: %s\n", n)
	}
	return t.Flush()
}
