package main

import (
	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
)

// trainCommand groups what makes run folders.
func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a model and write a run folder",
		Description: "A run folder holds the settings, the weights, the history, the metrics and the predictions:\n\n" +
			"   graft train head --embeddings embeddings --out runs/head\n" +
			"   graft train cnn --data fer2013.csv --out runs/cnn",
		Subcommands: []*cli.Command{trainHeadCommand(), trainCNNCommand(), trainViTCommand()},
	}
}

// trainCNNCommand trains a convolutional network on images.
func trainCNNCommand() *cli.Command {
	return &cli.Command{
		Name:  "cnn",
		Usage: "train a convolutional network on images",
		Description: "Recipe study is the study's network and setting, recipe strong is ours: a residual network, augmentation, an hour\n" +
			"on two cores. An interrupted training goes on when the same command is started again:\n\n" +
			"   graft train cnn --data fer2013.csv --out runs/cnn\n" +
			"   graft train cnn --data fer2013.csv --out runs/strong --recipe strong\n" +
			"   graft train cnn --data fer2013.csv --out runs/flipped --augment hflip,vflip",
		Flags:  networkFlags(nets.CNN{}),
		Action: resumes(trainNetwork(nets.KindCNN)),
	}
}

// trainViTCommand trains a vision transformer on images.
func trainViTCommand() *cli.Command {
	return &cli.Command{
		Name:  "vit",
		Usage: "train a shallow vision transformer on images",
		Description: "Recipe study is the study's transformer and setting, its first weights included (--init sane has better ones);\n" +
			"recipe strong is ours. An interrupted training goes on when the same command is started again:\n\n" +
			"   graft train vit --data fer2013.csv --out runs/vit\n" +
			"   graft train vit --data fer2013.csv --out runs/sane --init sane --depth 4\n" +
			"   graft train vit --data fer2013.csv --out runs/strong --recipe strong",
		Flags:  networkFlags(nets.ViT{}),
		Action: resumes(trainNetwork(nets.KindViT)),
	}
}
