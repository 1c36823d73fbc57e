package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"graft/pretrained/store"
)

// embeddingsCommand looks into embedding stores.
func embeddingsCommand() *cli.Command {
	return &cli.Command{
		Name:  "embeddings",
		Usage: "what an embedding store holds; export to npy, parquet, csv",
		Description: "   graft embeddings info E --verify\n" +
			"   graft embeddings export E --out features.parquet --taps cls,mean --split train",
		Subcommands: []*cli.Command{embeddingsInfoCommand(), embeddingsExportCommand()},
	}
}

func embeddingsInfoCommand() *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "what a store holds",
		ArgsUsage:   "STORE",
		Description: "   graft embeddings info E --verify --json -",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "verify", Usage: "compare every file with its hash"},
			jsonFlag(),
		},
		Action: embeddingsInfo,
	}
}

func embeddingsExportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write features to one .npy, .parquet or .csv file",
		ArgsUsage: "STORE",
		Description: "   graft embeddings export E --out train.npy --taps cls,mean --split train\n\n" +
			"Rows come in the dataset's order, taps side by side in the order given. A .npy file holds the features alone;\n" +
			".parquet and .csv also index, id, split, label and label name.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Required: true, Usage: "`FILE` to write, its extension .npy, .parquet or .csv"},
			&cli.StringFlag{Name: "taps", Usage: "`TAPS`, separated by commas (default: all)"},
			&cli.StringFlag{Name: "split", Usage: "only this `SPLIT` (default: all)"},
			&cli.BoolFlag{Name: "flip", Usage: "the features of the mirrored images"},
		},
		Action: embeddingsExport,
	}
}

func embeddingsInfo(c *cli.Context) error {
	if err := exactArgs(c, "STORE"); err != nil {
		return err
	}
	s, err := store.Open(c.Args().First())
	if err != nil {
		return err
	}
	out := humanOut(c)
	if err := s.Info().Print(out); err != nil {
		return err
	}
	if c.Bool("verify") {
		if err := s.Verify(c.Context, newProgress(c, "verifying files")); err != nil {
			return err
		}
		fmt.Fprintln(out, "every file has the hash that the manifest says")
	}
	return writeJSON(c, s.Info())
}

func embeddingsExport(c *cli.Context) error {
	if err := exactArgs(c, "STORE"); err != nil {
		return err
	}
	s, err := store.Open(c.Args().First())
	if err != nil {
		return err
	}
	return s.Export(c.Context, c.String("out"), store.ExportOptions{
		Taps: []string{c.String("taps")}, Split: c.String("split"), Flip: c.Bool("flip"),
	}, newProgress(c, "exporting"))
}
