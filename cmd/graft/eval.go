package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"graft/finetune/judge"
	"graft/finetune/knn"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/pretrained/store"
)

// evalCommand judges a run, an exported file or a store.
func evalCommand() *cli.Command {
	return &cli.Command{
		Name:      "eval",
		Usage:     "judge a run: accuracy per class and in all, with 95% intervals, calibration, ranking, confusion",
		ArgsUsage: "[RUN]",
		Description: "A head is judged on the run's own embeddings, on others made with the same backbone, or straight from images\n" +
			"(--data: backbone and head, nothing is kept). A cnn or vit is judged on the run's own dataset or on another,\n" +
			"a file that graft export wrote on a dataset. Classes are matched by name; there may be fewer than the model knows:\n\n" +
			"   graft eval runs/head --split public-test,private-test --confusion\n" +
			"   graft eval runs/head --embeddings others --json -\n" +
			"   graft eval runs/head --data faces.zip --model vit_b_16.onnx\n" +
			"   graft eval runs/cnn --data faces.zip\n" +
			"   graft eval faces.onnx --data faces.zip\n\n" +
			"With --knn nothing is trained: every image of a store takes the label of its K nearest neighbours in train, by\n" +
			"the cosine of their features. A neighbour's vote weighs exp(cosine/0.07), as in DINO's evaluation; with --vote\n" +
			"equal each counts as one. Probabilities are shares of the votes:\n\n" +
			"   graft eval --knn 20 --embeddings embeddings --taps cls --split public-test,private-test",
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "split", Usage: "`SPLITS`, separated by commas (default: public-test; all but train where there is none)"},
			&cli.StringFlag{Name: "embeddings", Usage: "`FOLDER` of an embedding store; of a head: another than the run's own"},
			atLeast(1, &cli.IntFlag{Name: "knn", Usage: "judge the store of --embeddings by `K` nearest neighbours, without a run"}),
			&cli.StringFlag{Name: "vote", Value: string(knn.Weighted), Usage: "with --knn: how neighbours count, `VOTE` weighted or equal"},
			&cli.StringFlag{Name: "taps", Usage: "with --knn: `TAPS` side by side, such as cls,mean, or all (default: all of the store)"},
			&cli.BoolFlag{Name: "center", Usage: "with --knn: cosines of how features differ from the mean of train's, which all images share"},
			&cli.BoolFlag{Name: "use-flip", Usage: "with --knn: mirrored images are neighbours too, and the votes of both views of an image are averaged"},
			&cli.StringFlag{Name: "data", Usage: "`DATASET` other than the one that a cnn or vit was trained on; the images for a head or an exported file"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED` of the synthetic set"},
			perClassFlag(), skipBadFlag(), groupByFlag(),
			&cli.BoolFlag{Name: "skip-unknown", Usage: "leave out images of classes that the model does not know, instead of stopping"},
			&cli.StringFlag{Name: "model", Usage: "with --data, of a head: the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			between(1, store.MaxBatch, &cli.IntFlag{Name: "batch", DefaultText: batchText, Usage: "with --data, of a head or an exported file: `IMAGES` per inference"}),
			&cli.Float64Flag{Name: "conformal", Usage: "of a run: sets of classes that hold the right one with this `COVERAGE`, such as 0.9, fitted on what its training held out; judged by coverage and size",
				Action: func(_ *cli.Context, level float64) error {
					if !(level > 0 && level < 1) {
						return usageErrorf("--conformal %g, want a coverage above 0 and below 1", level)
					}
					return nil
				}},
			&cli.BoolFlag{Name: "confusion", Usage: "print the confusion matrices too"},
			&cli.BoolFlag{Name: "reliability", Usage: "print the reliability tables too: of predictions of about equal probability, how many are right"},
			&cli.StringFlag{Name: "predictions", Usage: "`FOLDER` for predictions-<split>.csv (default: the run, for its own data; none for other)"},
			jsonFlag(),
		}, sharesFlags()...), providerFlags()...),
		Action: eval,
	}
}

func eval(c *cli.Context) error {
	mode, err := evalModeOf(c)
	if err != nil {
		return err
	}
	if err := mode.refuseIdle(c); err != nil {
		return err
	}
	judge := evalRun
	if c.IsSet("knn") {
		judge = evalNearest
	}
	e, err := judge(c)
	if err != nil {
		return err
	}
	out := humanOut(c)
	if err := printReports(out, e.Reports, e.Notes); err != nil {
		return err
	}
	for _, r := range e.Reports {
		tables := []struct {
			flag  string
			write func(io.Writer) error
		}{{"confusion", r.WriteConfusion}, {"reliability", r.WriteReliability}}
		for _, t := range tables {
			if !c.Bool(t.flag) {
				continue
			}
			fmt.Fprintf(out, "\n%s:\n", r.Split)
			if err := t.write(out); err != nil {
				return err
			}
		}
	}
	return writeJSON(c, metrics.Schema, e.Reports)
}

func evalRun(c *cli.Context) (judge.Evaluation, error) {
	o, err := backboneOptions(c)
	if err != nil {
		return judge.Evaluation{}, err
	}
	config := judge.Config{
		Run: c.Args().First(), Embeddings: c.String("embeddings"), Data: dataRef(c),
		Options: model.Options{Runtime: o.Runtime, Model: c.String("model")}, Batch: c.Int("batch"),
		Splits: splitWords(c.String("split")), Predictions: c.String("predictions"), Conformal: c.Float64("conformal"),
		Progress: observer(c).Progress,
	}
	if config.Embeddings == "" && config.Data.Path == "" && config.Predictions == "" {
		config.Predictions = config.Run
	}
	return judge.Evaluate(c.Context, config)
}

func evalNearest(c *cli.Context) (judge.Evaluation, error) {
	vote, err := knn.ParseVote(c.String("vote"))
	if err != nil {
		return judge.Evaluation{}, usageErrorf("--vote: %w", err)
	}
	if c.String("embeddings") == "" {
		return judge.Evaluation{}, usageErrorf("eval --knn wants --embeddings, the store to judge")
	}
	return judge.EvaluateNearest(c.Context, judge.NearestConfig{
		Embeddings: c.String("embeddings"), Taps: splitWords(c.String("taps")), K: c.Int("knn"), Vote: vote, Threads: c.Int("threads"),
		UseFlip: c.Bool("use-flip"), Center: c.Bool("center"),
		Splits: splitWords(c.String("split")), Predictions: c.String("predictions"), Progress: observer(c).Progress,
	})
}
