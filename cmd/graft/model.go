package main

import "github.com/urfave/cli/v2"

// modelCommand groups what is done with backbones: fetching, converting and
// looking into them.
func modelCommand() *cli.Command {
	return &cli.Command{
		Name:  "model",
		Usage: "pretrained vision transformers: list, download, convert, inspect",
		Description: "A backbone is an ONNX file from pixels to features. Make one from a checkpoint of the zoo, or from a file\n" +
			"of your own:\n\n" +
			"   graft model list\n" +
			"   graft model pull vit_b_16\n" +
			"   graft model export --weights my_vit.pth --out my_vit.onnx\n" +
			"   graft model info models/vit_b_16.onnx",
		Subcommands: []*cli.Command{
			modelListCommand(),
			modelPullCommand(),
			modelExportCommand(),
			modelInfoCommand(),
			modelCheckCommand(),
		},
	}
}

// modelsDirFlag is the folder of checkpoints and their ONNX files.
func modelsDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: "models", Usage: "`FOLDER` of checkpoints and converted models"}
}
