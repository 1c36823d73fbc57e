package main

import (
	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
)

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
