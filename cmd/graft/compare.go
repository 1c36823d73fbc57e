package main

import (
	"cmp"

	"github.com/urfave/cli/v2"

	"graft/finetune/compare"
	"graft/internal/atomicfile"
)

// compareCommand prints the study's table.
func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "one table of several runs: size, speed, losses by epoch, accuracy per class, and which is better",
		ArgsUsage: "RUN...",
		Description: "Reads what the runs' folders hold; nothing is evaluated anew:\n\n" +
			"   graft compare runs/cnn runs/vit runs/head\n" +
			"   graft compare runs/* --markdown table.md --json table.json\n\n" +
			"Each two runs that judged the same rows of a split are tested: exact McNemar, the difference with a 95% interval,\n" +
			"and where there are several pairs Holm's correction. A folder of several runs (train --seeds, --folds) is one entry,\n" +
			"mean ± standard deviation; two of several seeds are told apart by Welch's test.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "markdown", Usage: "also write the tables as Markdown to `FILE`"},
			jsonFlag(),
		},
		Action: compareRuns,
	}
}

func compareRuns(c *cli.Context) error {
	list, err := compare.Read(c.Context, c.Args().Slice())
	if err != nil {
		return err
	}
	if path := c.String("markdown"); path != "" {
		if err := atomicfile.WriteFile(path, compare.Markdown(list)); err != nil {
			return err
		}
	}
	return cmp.Or(compare.Write(humanOut(c), list), writeJSON(c, "graft-compare-1", list))
}
