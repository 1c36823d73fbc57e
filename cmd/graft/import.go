package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
	"graft/finetune/train"
	"graft/internal/plural"
)

// importCommand makes a run of a PyTorch checkpoint.
func importCommand() *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "make a run folder from a PyTorch checkpoint of a cnn or vit",
		Description: "Reads a state_dict under the study's names, strictly; options describe other networks than the study's:\n\n" +
			"   graft import --model cnn --weights cnn.pth --out runs/torch\n" +
			"   graft eval runs/torch --data fer2013.csv",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "model", Required: true, Usage: "`KIND`: cnn or vit"},
			&cli.StringFlag{Name: "weights", Required: true, Usage: "`FILE`: torch's .pth, or .safetensors"},
			keyFlag(),
			prefixFlag(),
			&cli.StringFlag{Name: "out", Required: true, Usage: "run `FOLDER` to write"},
			&cli.StringFlag{Name: "classes", Usage: "`NAMES` of the outputs in order, separated by commas (default: FER2013's)"},
			&cli.StringFlag{Name: "data", Usage: "`DATASET` for graft eval to read by default"},
			&cli.IntFlag{Name: "image-side", Usage: "images are made `PIXELS`×PIXELS first (default: 48)"},
			&cli.StringFlag{Name: "fit", Usage: "how they come to the network's size: `WORD`: resize (default) or crop"},
			&cli.BoolFlag{Name: "mirror", Usage: "average the logits of each face and its mirror image"},
			&cli.BoolFlag{Name: "force", Usage: "replace an existing run"},
		}, bothOptionFlags()),
		Action: importRun,
	}
}

func keyFlag() cli.Flag {
	return &cli.StringFlag{Name: "key", DefaultText: "averaged weights first", Usage: "`KEY` of the state dict in the file, where it holds several (state_dict, model_ema, …)"}
}

func prefixFlag() cli.Flag {
	return &cli.StringFlag{Name: "prefix", DefaultText: "found", Usage: "what stands before the tensors' names, `WORDS` with dots between (model.backbone)"}
}

// bothOptionFlags are the options of a cnn and of a vit, each once.
func bothOptionFlags() []cli.Flag {
	out := optionFlags(nets.ViT{})
	for _, f := range optionFlags(nets.CNN{}) {
		if !slices.ContainsFunc(out, func(g cli.Flag) bool { return g.Names()[0] == f.Names()[0] }) {
			out = append(out, f)
		}
	}
	return out
}

// refuseOfOthers refuses the options of the other kind of network, and those that
// only training heeds.
func refuseOfOthers(c *cli.Context, net nets.Net) error {
	others := flagNames(bothOptionFlags(), flagNames(optionFlags(net))...)
	return cmp.Or(refuse(c, "a "+net.Kind()+" has no such option", others...),
		refuse(c, "imported weights are trained already", "dropout", "init"))
}

func importRun(c *cli.Context) error {
	config, err := train.NewImportConfig(c.String("model"))
	if err != nil {
		return usageErrorf("%w", err)
	}
	if err := refuseOfOthers(c, config.Net); err != nil {
		return err
	}
	config.Key, config.Prefix = c.String("key"), c.String("prefix")
	config.Weights, config.Out, config.Data = c.String("weights"), c.String("out"), c.String("data")
	config.Force, config.Program = c.Bool("force"), madeBy(c)
	if config.Net, err = withOptions(c, config.Net); err != nil {
		return usageErrorf("%w", err)
	}
	config.Pixels.Mirror = c.Bool("mirror")
	if c.IsSet("classes") {
		config.Classes = splitWords(c.String("classes"))
	}
	if c.IsSet("image-side") {
		config.Pixels.Side = c.Int("image-side")
	}
	if c.IsSet("fit") {
		config.Pixels.Fit = c.String("fit")
	}
	if err := refuseFit(c, config.Pixels, config.Net); err != nil {
		return err
	}
	checked, err := config.Check()
	if err != nil {
		return usageErrorf("%w", err)
	}
	r, err := checked.Write(c.Context)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s with %s, from %s\n", r.Dir, r.Config.Kind, plural.Of(r.Config.Parameters(), "parameter"), config.Weights)
	for _, n := range r.Config.Notes {
		fmt.Fprintln(c.App.Writer, n)
	}
	return err
}
