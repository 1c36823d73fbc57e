package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"graft/models"
	"graft/pretrained"
	"graft/pretrained/vit"
)

// modelPullCommand downloads a checkpoint of the zoo and converts it.
func modelPullCommand() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Usage:     "download a model of the zoo, verify it and convert it to ONNX",
		ArgsUsage: "NAME",
		Description: "Fetches the weights into the folder, compares their SHA-256 and writes NAME.onnx beside them. A download\n" +
			"that was cut or interrupted goes on where it stopped. HTTPS_PROXY and its siblings are honoured.\n" +
			models.Faces + ", the detector of faces, is ONNX already.\n\n" +
			"   graft model pull vit_b_16\n" +
			"   graft model pull vit_tiny_patch16_augreg --url https://mirror.example.org/vit_tiny.safetensors",
		Flags: []cli.Flag{
			modelsDirFlag(),
			&cli.StringFlag{Name: "url", Usage: "download from `ADDRESS`, a mirror; the hash has to be the same"},
			jsonFlag(),
		},
		Action: resumes(modelPull),
	}
}

func modelPull(c *cli.Context) error {
	entry, err := models.Get(c.Args().First())
	if err != nil {
		return usageErrorf("%w", err)
	}
	res, err := pullModel(c.Context, entry, pullConfig{
		Dir: c.String("dir"), Version: version(),
		Download: models.DownloadOptions{
			URL: c.String("url"), Progress: newProgress(c, "downloading (bytes)"), Log: func(line string) { logf(c, "%s", line) },
		},
		Verified: func(r models.Result) { logf(c, "%s: %s", r.Path, r.Verified) },
		Progress: newProgress(c, "writing weights (bytes)"),
	})
	if err != nil {
		return err
	}
	if res.ONNX != nil {
		printExport(humanOut(c), *res.ONNX)
	}
	return writeJSON(c, "graft-model-pull-1", res)
}

// pullConfig is what a pull needs to know.
type pullConfig struct {
	Dir      string
	Version  string
	Download models.DownloadOptions
	Verified func(models.Result)
	Progress func(done, total int64) // of the conversion
}

// pullResult is the JSON of graft model pull.
type pullResult struct {
	Name    string        `json:"name"`
	License string        `json:"license"`
	Weights models.Result `json:"weights"`
	ONNX    *vit.Summary  `json:"onnx,omitempty"` // absent where the file is ONNX already
}

// pullModel downloads and verifies an entry's checkpoint, then converts it with
// the entry's preprocessing, where it is none already.
func pullModel(ctx context.Context, e models.Entry, cfg pullConfig) (pullResult, error) {
	weights, err := models.Download(ctx, e, cfg.Dir, cfg.Download)
	if err != nil {
		return pullResult{}, err
	}
	cfg.Verified(weights)
	if e.ONNX() {
		return pullResult{Name: e.Name, License: e.License, Weights: weights}, pretrained.Try(weights.Path)
	}
	o := vit.ConvertOptions{Weights: weights.Path, Name: e.Name, Out: e.ONNXPath(cfg.Dir), Version: cfg.Version, Try: pretrained.Try}
	summary, err := vit.Convert(ctx, o, cfg.Progress)
	if err != nil {
		return pullResult{}, fmt.Errorf("convert %s: %w", weights.Path, err)
	}
	summary.Notes = append(summary.Notes, notTried()...)
	return pullResult{Name: e.Name, License: e.License, Weights: weights, ONNX: &summary}, nil
}
