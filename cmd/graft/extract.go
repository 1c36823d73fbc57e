package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// extractCommand turns a dataset and a backbone into an embedding store.
func extractCommand() *cli.Command {
	return &cli.Command{
		Name:  "extract",
		Usage: "run a frozen backbone over a dataset and keep its features on disk",
		Description: "Writes an embedding store: a folder with a manifest, npy files of features and parquet files that say\n" +
			"which image each row is. Broken off at any moment and started again, it goes on where it stopped:\n\n" +
			"   graft extract --data fer2013.csv --model vit_b_16.onnx --out embeddings --taps cls,mean,cls_9 --flip\n" +
			"   graft extract --data photos/ --model resnet.onnx --input-size 224 \\\n" +
			"      --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --output features \\\n" +
			"      --out embeddings\n\n" +
			"The second form runs an ONNX model that graft did not export, its input float32 [N,C,H,W].\n\n" +
			"Tokens, and any tensor inside the network, are kept by name, of changed images of the train split too (docs/formats.md);\n" +
			"nothing behind them is run unless other taps need it:\n\n" +
			"   graft extract --data fer2013.csv --model vit_tiny.onnx --out tokens --flip \\\n" +
			"      --taps tokens_8 --views 4\n\n" +
			"A store gets further taps, and the images that its dataset has got since, without what it has being computed again:\n\n" +
			"   graft extract --data fer2013.csv --model vit_b_16.onnx --out embeddings --taps cls_6 --extend\n\n" +
			"Parquet in, Parquet out is the unit of work of engines that have a dataset in parts (Ray, Spark): image bytes, or paths,\n" +
			"with what else is known of them, in one file, their features in the other, written whole (docs/many-machines.md):\n\n" +
			"   graft extract --data part.parquet --model vit_b_16.onnx --out part.embeddings.parquet\n\n" +
			"Many machines that share a folder make one store, each its part (0/4 to 3/4), without knowing of each other; the store is the\n" +
			"same whatever their number, and whoever comes last completes it (scripts for Slurm and Kubernetes: deploy/):\n\n" +
			"   graft extract --data photos/ --model vit_b_16.onnx --out /shared/embeddings --shard 0/4\n" +
			"   graft embeddings verify /shared/embeddings\n\n" +
			"Image files that are truncated, malformed, too large or missing are left out and listed, with the reason, in the\n" +
			"store's meta/errors.parquet.",
		Flags: append(append(datasetFlags(), append(providerFlags(), foreignFlags()...)...),
			&cli.StringFlag{Name: "model", Required: true, Usage: "backbone: an ONNX `FILE`"},
			&cli.StringFlag{Name: "out", Required: true, Usage: "`FOLDER` of the embedding store, or one file FILE.parquet"},
			&cli.StringFlag{Name: "taps", Usage: "features to keep: `TAPS` such as cls,mean,cls_9, or all (default: the model's first: cls, or pool); by name alone also tokens_8, the tokens after block 8, and tensor:NAME"},
			&cli.StringFlag{Name: "split", Usage: "only these `SPLITS`, separated by commas (default: all)"},
			&cli.BoolFlag{Name: "flip", Usage: "also keep the features of every image mirrored left to right"},
			atLeast(0, &cli.IntFlag{Name: "views", Usage: "features of so many `VIEWS` of each image of the train split: as it is, with --flip mirrored, and else changed at random (0: no changed ones)"}),
			&cli.Uint64Flag{Name: "view-seed", Value: 1, Usage: "`NUMBER` that decides the changes"},
			&cli.StringFlag{Name: "view-augment", Value: extract.ViewAugment.String(), Usage: "changes to images of further views: `TEXT` as train cnn --augment takes it"},
			&cli.StringFlag{Name: "batch", DefaultText: batchText, Usage: "`IMAGES` per inference, of which the CPU runs one on every thread, or auto: what a few seconds of measuring find fastest, and how many inferences at once; a store that was begun keeps its own unless this flag names another"},
			&cli.StringFlag{Name: "dtype", DefaultText: "float32; of tokens and tensors float16", Usage: "`TYPE` on disk: float32 or float16"},
			atLeast(1, &cli.IntFlag{Name: "shard-rows", Value: extract.DefaultShardRows, Usage: "`SAMPLES` per shard"}),
			&cli.StringFlag{Name: "shard", Usage: "make only part `I/N` of the store's shards, I from 0 to N-1 (default: all)"},
			&cli.BoolFlag{Name: "extend", Usage: "add to a store that is there: taps that it has not, and images of a dataset that has grown; what it has is not computed again"},
			&cli.BoolFlag{Name: "strict", Usage: "stop at a bad image file instead of leaving it out"},
			atLeast(0, &cli.IntFlag{Name: "limit", Usage: "at most so many `IMAGES` of each split (0: all)"}),
			groupByFlag(), seedFlag(), jsonFlag()),
		Action: resumes(extractAction),
	}
}

// foreignFlags describe a model that graft did not export.
func foreignFlags() []cli.Flag {
	return grouped(foreignHeading,
		&cli.IntFlag{Name: "input-size", Usage: "side of its input in `PIXELS` (default: what the file says)"},
		&cli.StringFlag{Name: "mean", Usage: "`MEAN` of pixels in [0,1], one number or three"},
		&cli.StringFlag{Name: "std", Usage: "`STD` of pixels in [0,1], one number or three"},
		&cli.StringFlag{Name: "normalize", Usage: "both of them by `NAME`: imagenet, half, clip or none, or M,M,M/S,S,S"},
		&cli.Float64Flag{Name: "crop-pct", Value: 1, Usage: "`PART` of the shorter side that the centre crop keeps"},
		&cli.StringFlag{Name: "output", Usage: "`NAME` of the output with the features"},
		&cli.StringFlag{Name: "pool", Usage: "what to make of an output [N,T,D]: `POOLING` cls or mean"})
}

// backboneOptions reads providerFlags and foreignFlags.
func backboneOptions(c *cli.Context) (pretrained.Options, error) {
	provider, err := session.ParseProvider(c.String("provider"))
	if err != nil {
		return pretrained.Options{}, usageErrorf("%w", err)
	}
	pretrained.Want(provider)
	switch provider {
	case session.CPU, session.Go:
		err = refuse(c, "the CPU has no number, and nothing to fall back to", "device", "allow-fallback")
	case session.Auto:
		err = refuse(c, "auto takes a provider that runs the whole model", "allow-fallback")
	}
	if err != nil {
		return pretrained.Options{}, err
	}
	o := pretrained.Options{Runtime: session.Options{
		Provider: provider, Device: c.Int("device"),
		Threads: c.Int("threads"), AllowFallback: c.Bool("allow-fallback"),
		Note: noteOnce(c),
	}}
	if slices.ContainsFunc(foreignNames, c.IsSet) {
		o.Foreign, err = foreignOptions(c)
	}
	return o, err
}

// noteOnce passes on to stderr what a session has to tell, each sentence once.
func noteOnce(c *cli.Context) func(sentence string) {
	var said sync.Map
	return func(sentence string) {
		if _, before := said.LoadOrStore(sentence, true); !before {
			logf(c, "%s", sentence)
		}
	}
}

func foreignOptions(c *cli.Context) (*preprocess.Spec, error) {
	f := &preprocess.Spec{Size: c.Int("input-size"), Crop: c.Float64("crop-pct"), Output: c.String("output"), Pool: c.String("pool")}
	if f.Pool != pretrained.PoolNone && f.Pool != pretrained.PoolCLS && f.Pool != pretrained.PoolMean {
		return nil, usageErrorf("--pool %q: wanted cls or mean", f.Pool)
	}
	var err error
	if c.String("normalize") != "" {
		if c.IsSet("mean") || c.IsSet("std") {
			return nil, usageErrorf("--normalize stands for --mean and --std: give it or both of them")
		}
		if f.Normalization, err = preprocess.ParseNormalization(c.String("normalize")); err != nil {
			return nil, usageErrorf("--normalize: %w", err)
		}
		return f, nil
	}
	if f.Mean, err = perChannel(c, "mean"); err != nil {
		return nil, err
	}
	if f.Std, err = perChannel(c, "std"); err != nil {
		return nil, err
	}
	if err := f.Normalization.Check(); err != nil {
		return nil, usageErrorf("--mean, --std: %w", err)
	}
	return f, nil
}

// perChannel reads one number for all channels, or three.
func perChannel(c *cli.Context, flag string) (out [3]float32, err error) {
	words := splitWords(c.String(flag))
	if len(words) == 0 {
		return out, usageErrorf("--%s is missing (or --normalize, for both): --input-size, --mean, --std, --normalize, --crop-pct, --output and --pool describe a model that graft did not export; leave them out for one that it did", flag)
	}
	if len(words) == 1 {
		words = []string{words[0], words[0], words[0]}
	}
	if len(words) != 3 {
		return out, usageErrorf("--%s %q: a foreign model needs one number or three, for pixels in [0,1]", flag, c.String(flag))
	}
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 32)
		if err != nil {
			return out, usageErrorf("--%s %q: %q is no number", flag, c.String(flag), w)
		}
		out[i] = float32(v)
	}
	return out, nil
}

func extractAction(c *cli.Context) (err error) {
	config, err := extractConfig(c)
	if err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	run, ref, toFile := extract.Run, dataRef(c), extract.ToFile(config.Out)
	if toFile {
		if err := refuse(c, extract.FileHolds, extract.StoreOnly()...); err != nil {
			return err
		}
		run, ref.Unsplit = extract.File, true
	}
	data, err := openRef(c, ref)
	if err != nil {
		return err
	}
	defer closeInto(&err, data)
	if c.Bool("extend") {
		run = extract.Extend
		if !c.IsSet("shard-rows") {
			config.ShardRows = 0 // the store's
		}
		config.Data, config.Taps = data, splitWords(c.String("taps"))
		if config.Taps, err = extract.Missing(c.Context, config); err != nil {
			return err
		}
	}
	o.Taps, o.Runtime.Throughput = config.Taps, true
	if o.Runtime.Provider, err = extract.Provider(config.Out, o.Runtime.Provider); err != nil {
		return err
	}
	backbone, err := pretrained.Open(c.Context, c.String("model"), o)
	if err != nil {
		return err
	}
	defer closeInto(&err, backbone)
	config.Data, config.Backbone = data, backbone
	sum, err := run(c.Context, config, newProgress(c, "extracting (images)"))
	if err != nil {
		return err
	}
	printExtract(humanOut(c), sum, config.Part)
	if err := writeJSON(c, "graft-extract-1", sum); err != nil {
		return err
	}
	tokens := slices.ContainsFunc(splitWords(c.String("taps")), func(tap string) bool {
		return strings.HasPrefix(tap, "tokens") || strings.HasPrefix(tap, "tensor:")
	})
	if sum.State.Complete() && !tokens && !toFile { // which heads read
		next(c, "graft train head --embeddings "+shellWord(sum.Store)+" --out runs/head")
	}
	return nil
}

// extractConfig reads and checks all flags that need no file.
func extractConfig(c *cli.Context) (extract.Config, error) {
	config := extract.Config{
		Out: c.String("out"), Taps: []string{c.String("taps")}, Splits: splitWords(c.String("split")), Flip: c.Bool("flip"),
		ShardRows: c.Int("shard-rows"), Limit: c.Int("limit"), DType: c.String("dtype"),
		SkipBad: c.Bool("skip-bad"), Strict: c.Bool("strict"), Checked: newProgress(c, "checking earlier files (files)"),
		Note: func(sentence string) { logf(c, "%s", sentence) },
	}
	err := cmp.Or(refuseDrawn(c, "per-class", "seed"), refuse(c, "a store keeps no votes", "ferplus"))
	switch {
	case err != nil:
		return config, err
	case c.IsSet("dtype") && config.DType != "float32" && config.DType != "float16":
		return config, usageErrorf("--dtype %q: wanted float32 or float16", config.DType)
	case config.Strict && config.SkipBad:
		return config, usageErrorf("--strict and --skip-bad contradict each other")
	}
	if config.Views, err = extractViews(c); err != nil {
		return config, err
	}
	if config.Part, err = store.ParsePart(c.String("shard")); err != nil {
		return config, usageErrorf("--shard: %w", err)
	}
	if c.IsSet("batch") {
		config.Batch, err = parseBatch(c.String("batch"))
		config.AutoBatch, config.KeepBatch = config.Batch == 0, config.Batch > 0
	}
	return config, err
}

// extractViews reads what is asked for of changed images.
func extractViews(c *cli.Context) (store.Views, error) {
	v := store.Views{Count: c.Int("views"), Seed: c.Uint64("view-seed")}
	fixed := 1
	if c.Bool("flip") {
		fixed = 2
	}
	switch {
	case !c.IsSet("views") || v.Count == 0:
		return store.Views{}, refuse(c, "no views of changed images are asked for (--views)", "view-seed", "view-augment")
	case v.Count <= fixed:
		return v, usageErrorf("--views %d: want more than %d, the image as it is and, with --flip, mirrored", v.Count, fixed)
	}
	var err error
	if v.Augment, err = augment.Parse(c.String("view-augment")); err != nil {
		return v, usageErrorf("--view-augment: %w", err)
	}
	return v, nil
}

// batchText says what no --batch means: pretrained.DefaultBatch.
var batchText = fmt.Sprintf("%d on the CPU, %d on accelerators", pretrained.DefaultBatch(session.CPU), pretrained.DefaultBatch(session.CUDA))

// parseBatch reads a number of images, or 0 for auto.
func parseBatch(word string) (int, error) {
	if word == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 {
		return 0, usageErrorf("--batch %q: want a number of images, 1 or more, or auto", word)
	}
	if n > store.MaxBatch {
		return 0, usageErrorf("--batch %d, want %d at most", n, store.MaxBatch)
	}
	return n, nil
}

// closeInto closes what a command opened and reports a failure of that alone.
func closeInto(err *error, c io.Closer) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}
