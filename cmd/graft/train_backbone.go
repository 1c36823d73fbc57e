package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/fit"
	"graft/finetune/train"
	"graft/preprocess/augment"
)

// trainBackboneCommand fine-tunes the last blocks of a pretrained network.
func trainBackboneCommand() *cli.Command {
	return &cli.Command{
		Name:  "backbone",
		Usage: "train the last blocks of a pretrained network with a head",
		Description: "The part of the network before the last blocks stays frozen. What it makes of each image of train, and of views that are\n" +
			"changed at random, is kept in a store, so that an epoch costs no more than the blocks that train. First a head is\n" +
			"fitted to the taps, then the blocks and the head learn from there:\n\n" +
			"   graft train backbone --data fer2013.csv --model vit_ti_16.onnx --unfreeze 4 --out runs/tuned\n" +
			"   graft export runs/tuned --out faces.onnx\n\n" +
			"An interrupted training goes on when the same command is started again.\n\n" + repeatText,
		Flags:  backboneFlags(),
		Action: resumes(trainBackbone),
	}
}

func backboneFlags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		dataFlag(), groupByFlag(),
		&cli.StringFlag{Name: "model", Required: true, Usage: "the network's ONNX `FILE`"},
		&cli.StringFlag{Name: "tail", Usage: "the network's float32 `FILE`, to train the rest of, where --model is its int8 or float16 file"},
		&cli.StringFlag{Name: "out", Required: true, Usage: "run `FOLDER` to write"},
		&cli.StringFlag{Name: "unfreeze", Usage: "train the last `N` blocks and what lies behind them, or all"},
		&cli.StringFlag{Name: "unfreeze-from", Usage: "train what lies behind a `TENSOR` instead (graft model blocks lists some)"},
		&cli.StringFlag{Name: "taps", Usage: "features that the head reads, side by side: `TAPS` such as cls,mean,cls_9, or all (default: all of the network)"},
		&cli.StringFlag{Name: "head", Usage: "begin with the head in a `RUN` of graft train head on the same network, or with none, zeros, as random weights want (default: one is fitted first)"},
		&cli.StringFlag{Name: "embeddings", Usage: "`FOLDER` of the store that keeps what the frozen part gives (default: beside the run, OUT.tokens)"},
		&cli.BoolFlag{Name: "mirror", DefaultText: recipes, Usage: "average the logits of each image and its mirror image at test"},
		&cli.IntFlag{Name: "views", DefaultText: recipes, Usage: "`N` views kept of each image of train: as it is, mirrored, and changed by --augment (0: none, and each epoch changes all anew)"},
		&cli.StringFlag{Name: "augment", DefaultText: recipes, Usage: "changes to the further views: `TEXT` such as rotate=12,contrast=0.3; mixup=0.2 mixes what is kept"},
		&cli.StringFlag{Name: "only", Usage: "of the blocks train one `KIND` of weights: biases, norms, or scale, a scale and a shift behind every linear layer"},
		atLeast(1, &cli.IntFlag{Name: "lora", Usage: "train matrices of `RANK` beside those of the blocks' linear layers, which stand still"}),
		&cli.Float64Flag{Name: "layer-decay", DefaultText: recipes, Usage: "each block learns at `FACTOR` times the rate of the one behind it"},
		&cli.Float64Flag{Name: "drop-path", DefaultText: recipes, Usage: "leave out the last block's branches with probability `P`, others' less often"},
		&cli.BoolFlag{Name: "train-norm-stats", Usage: "move running statistics of the blocks' batch normalisations too, which else stand still"},
		&cli.StringFlag{Name: "ferplus", Category: dataHeading, Usage: "`FILE` of FER+'s votes, fer2013new.csv"},
		&cli.Float64Flag{Name: "soft-labels", Usage: "`SHARE` of FER+'s votes in the labels trained on, 0 to 1"},
		&cli.IntFlag{Name: "limit", Usage: "use at most `N` images of each split (0: all)"},
		perClassFlag(),
		&cli.BoolFlag{Name: "force", Usage: "replace an existing run, finished or not"},
		skipBadFlag(), seedFlag(), jsonFlag(),
	}, repeatFlags(), sharesFlags(), imbalanceFlags(), optionFlags(fit.Config{}),
		[]cli.Flag{&cli.Float64Flag{Name: "holdout", Category: descentHeading, DefaultText: recipes, Usage: "`SHARE` of train to hold out and watch, groups of equal images whole"}},
		providerFlags(), foreignFlags())
}

func trainBackbone(c *cli.Context) error {
	if err := refuseDrawn(c, "per-class"); err != nil {
		return err
	}
	config, err := backboneConfig(c)
	if err != nil {
		return usageErrorf("%w", err)
	}
	training, err := config.Check()
	return runTraining(c, training, err)
}

func backboneConfig(c *cli.Context) (config train.BackboneConfig, err error) {
	config = train.NewBackboneConfig()
	o, err := backboneOptions(c)
	if err != nil {
		return config, err
	}
	config.Runtime, config.Foreign, config.Data = o.Runtime, o.Foreign, dataRef(c)
	config.Model, config.Tail = c.String("model"), c.String("tail")
	config.Out, config.Embeddings, config.Head = c.String("out"), c.String("embeddings"), c.String("head")
	config.Unfreeze, config.UnfreezeFrom, config.Taps, config.GroupBy = c.String("unfreeze"), c.String("unfreeze-from"), splitWords(c.String("taps")), c.String("group-by")
	config.Only, config.Lora, config.NormStats = c.String("only"), c.Int("lora"), c.Bool("train-norm-stats")
	config.Limit, config.Force, config.Program = c.Int("limit"), c.Bool("force"), madeBy(c)
	config.Imbalance, config.SoftLabels = imbalance(c), c.Float64("soft-labels")
	holdout, warmup := config.Holdout, config.Fit.Warmup/float64(config.Fit.Epochs)
	if err := setDescent(c, &config.Descent); err != nil {
		return config, err
	}
	if !c.IsSet("holdout") {
		config.Holdout = holdout
	}
	if !c.IsSet("warmup") {
		config.Fit.Warmup = warmup * float64(config.Fit.Epochs)
	}
	if c.IsSet("holdout") && config.Holdout == 0 && !c.IsSet("keep-best") {
		config.Fit.KeepBest = false
	}
	for name, to := range map[string]*float64{"layer-decay": &config.LayerDecay, "drop-path": &config.DropPath} {
		if c.IsSet(name) {
			*to = c.Float64(name)
		}
	}
	if c.IsSet("mirror") {
		config.UseFlip = c.Bool("mirror")
	}
	if c.IsSet("views") || config.Unfreeze == train.UnfreezeAll {
		config.Views = c.Int("views")
	}
	if c.IsSet("augment") {
		config.Augment, err = augment.Parse(c.String("augment"))
	}
	return config, err
}
