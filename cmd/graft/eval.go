package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune"
	"graft/finetune/nets"
	"graft/preprocess/dataset"
)

// evalCommand judges a run.
func evalCommand() *cli.Command {
	return &cli.Command{
		Name:      "eval",
		Usage:     "judge a run: accuracy per class and in all, with 95% intervals, calibration, confusion",
		ArgsUsage: "RUN",
		Description: "A head is judged on the run's own embeddings, or on others made with the same backbone; a cnn or vit on the\n" +
			"run's own dataset, or on another of the same classes:\n\n" +
			"   graft eval runs/head --split public-test,private-test --confusion\n" +
			"   graft eval runs/head --embeddings others --json -\n" +
			"   graft eval runs/cnn --data faces.zip",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "split", Usage: "`SPLITS`, separated by commas (default: public-test; all but train where there is none)"},
			&cli.StringFlag{Name: "embeddings", Usage: "`FOLDER` of another embedding store than the run's own"},
			&cli.StringFlag{Name: "data", Usage: "`DATASET` other than the one that a cnn or vit was trained on"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED` of the synthetic set"},
			perClassFlag(), skipBadFlag(),
			&cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores)"},
			&cli.BoolFlag{Name: "confusion", Usage: "print the confusion matrices too"},
			&cli.StringFlag{Name: "predictions", Usage: "`FOLDER` for predictions-<split>.csv (default: the run, for its own data; none for other)"},
			jsonFlag(),
		},
		Action: eval,
	}
}

func eval(c *cli.Context) error {
	if err := exactArgs(c, "RUN"); err != nil {
		return err
	}
	kind, err := finetune.Kind(c.Args().First())
	if err != nil {
		return err
	}
	if err := refuseIdle(c, kind); err != nil {
		return err
	}
	config := finetune.EvalConfig{
		Run: c.Args().First(), Embeddings: c.String("embeddings"),
		Splits: splitWords(c.String("split")), Predictions: c.String("predictions"),
		Data: dataOptions(c), Threads: c.Int("threads"), Progress: observer(c).Progress,
	}
	if config.Embeddings == "" && config.Data.Path == "" && config.Predictions == "" {
		config.Predictions = config.Run
	}
	e, err := finetune.Evaluate(c.Context, config)
	if err != nil {
		return err
	}
	out := humanOut(c)
	if err := printReports(out, e.Reports, e.Notes); err != nil {
		return err
	}
	if c.Bool("confusion") {
		for _, r := range e.Reports {
			fmt.Fprintf(out, "\n%s:\n", r.Split)
			if err := r.WriteConfusion(out); err != nil {
				return err
			}
		}
	}
	return writeJSON(c, e.Reports)
}

// refuseIdle names the flags that would have no effect on a run of that kind.
func refuseIdle(c *cli.Context, kind string) error {
	data := c.String("data")
	var flags []string
	var why string
	switch {
	case kind == nets.KindHead:
		flags, why = []string{"data", "seed", "per-class", "skip-bad"}, "a head is judged on embeddings, its own or those of --embeddings"
	case c.IsSet("embeddings"):
		flags, why = []string{"embeddings"}, "a "+kind+" is judged on images, its own or those of --data"
	case data == "":
		flags, why = []string{"seed", "per-class", "skip-bad"}, "without --data a "+kind+" is judged on the dataset it was trained on, read the same way"
	case data != dataset.SyntheticPath:
		flags, why = []string{"seed", "per-class"}, "only the "+dataset.SyntheticPath+" dataset is drawn"
	}
	var idle []string
	for _, name := range flags {
		if c.IsSet(name) {
			idle = append(idle, "--"+name)
		}
	}
	if idle == nil {
		return nil
	}
	return usageErrorf("eval %s: %s would have no effect: %s", c.Args().First(), strings.Join(idle, ", "), why)
}
