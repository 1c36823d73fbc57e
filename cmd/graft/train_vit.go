package main

import (
	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
)

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
