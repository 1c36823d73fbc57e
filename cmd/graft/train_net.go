package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/columns"
	"graft/preprocess/augment"
)

// networkFlags are those of graft train cnn and vit.
func networkFlags(net nets.Net) []cli.Flag {
	return slices.Concat([]cli.Flag{
		dataFlag(), groupByFlag(),
		&cli.StringFlag{Name: "out", Required: true, Usage: "run `FOLDER` to write"},
		&cli.StringFlag{Name: "recipe", Value: run.RecipeStudy, Usage: "`RECIPE`: study or strong"},
		&cli.StringFlag{Name: "augment", DefaultText: recipes, Usage: "changes to training images: `TEXT` such as hflip,shift=0.1,rotate=10, or none"},
		&cli.StringFlag{Name: "ferplus", Category: dataHeading, Usage: "`FILE` of FER+'s votes, fer2013new.csv"},
		&cli.Float64Flag{Name: "soft-labels", Usage: "`SHARE` of FER+'s votes in the labels trained on, 0 to 1"},
		&cli.IntFlag{Name: "image-side", DefaultText: recipes, Usage: "images are made `PIXELS`×PIXELS first"},
		&cli.StringFlag{Name: "fit", DefaultText: recipes, Usage: "how they come to the network's size: `WORD`: " + run.FitResize + " or " + run.FitCrop},
		&cli.BoolFlag{Name: "mirror", DefaultText: recipes, Usage: "average the logits of each face and its mirror image at test"},
		&cli.IntFlag{Name: "limit", Usage: "use at most `N` images of each split (0: all)"},
		perClassFlag(),
		&cli.BoolFlag{Name: "force", Usage: "replace an existing run, finished or not"},
		skipBadFlag(), seedFlag(), threadsFlag(), jsonFlag(),
	}, sharesFlags(), imbalanceFlags(), repeatFlags(), descentFlags(), optionFlags(net))
}

// imbalanceFlags are what is made of classes with unequal numbers of samples.
func imbalanceFlags() []cli.Flag {
	return grouped(balanceHeading,
		&cli.StringFlag{Name: "class-weights", Value: train.WeightsNone,
			Usage: "`WEIGHTS` of the classes: none, balanced for equal ones, a number for each class (1,5,1), or of some (disgust=5)"},
		&cli.Float64Flag{Name: "logit-adjust", DefaultText: "none",
			Usage: "add `TAU`·log(share of the class) to the logits in the training loss, so that 1 aims at the classes' mean recall",
			Action: func(_ *cli.Context, tau float64) error {
				if !(tau > 0) {
					return usageErrorf("--logit-adjust %g, want above 0", tau)
				}
				return nil
			}})
}

func imbalance(c *cli.Context) train.Imbalance {
	return train.Imbalance{ClassWeights: c.String("class-weights"), LogitAdjust: c.Float64("logit-adjust")}
}

// trainNetwork is the action of graft train cnn and vit.
func trainNetwork(kind string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := refuseDrawn(c, "per-class"); err != nil {
			return err
		}
		config, err := networkConfig(c, kind)
		if err != nil {
			return usageErrorf("%w", err)
		}
		training, err := config.Check()
		return runTraining(c, training, err)
	}
}

func networkConfig(c *cli.Context, kind string) (train.NetConfig, error) {
	config, err := train.NewNetConfig(kind, c.String("recipe"))
	if err != nil {
		return config, err
	}
	config.Data = dataRef(c)
	config.Out, config.Limit, config.Force, config.Program = c.String("out"), c.Int("limit"), c.Bool("force"), madeBy(c)
	config.Imbalance, config.SoftLabels = imbalance(c), c.Float64("soft-labels")
	if config.Net, err = withOptions(c, config.Net); err != nil {
		return config, err
	}
	if err := setDescent(c, &config.Descent); err != nil {
		return config, err
	}
	if c.IsSet("augment") {
		if config.Augment, err = augment.Parse(c.String("augment")); err != nil {
			return config, err
		}
	}
	if c.IsSet("image-side") {
		config.Pixels.Side = c.Int("image-side")
	}
	if c.IsSet("fit") {
		config.Pixels.Fit = c.String("fit")
	}
	if c.IsSet("mirror") {
		config.Pixels.Mirror = c.Bool("mirror")
	}
	return config, refuseFit(c, config.Pixels, config.Net)
}

// refuseFit refuses a way to a size that images have already.
func refuseFit(c *cli.Context, p run.PixelsRecord, net nets.Net) error {
	if p.Side != net.InputShape()[1] {
		return nil
	}
	return refuse(c, fmt.Sprintf("images of %d pixels a side are of the network's size", p.Side), "fit")
}

// observer tells a training to standard error.
func observer(c *cli.Context) train.Observer {
	return train.Observer{
		Log:      func(line string) { logf(c, "%s", columns.Fill(line, 0, 2)) },
		Progress: func(label string) func(done, total int64) { return newProgress(c, label) },
	}
}
