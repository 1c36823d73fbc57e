package main

import "github.com/urfave/cli/v2"

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
