package main

import (
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"graft/pretrained/store"
)

// embeddingsCommand looks into embedding stores.
func embeddingsCommand() *cli.Command {
	return &cli.Command{
		Name:  "embeddings",
		Usage: "what an embedding store holds; check it; export to npy, parquet, csv",
		Description: "   graft embeddings info E\n" +
			"   graft embeddings verify E\n" +
			"   graft embeddings export E --out features.parquet --taps cls,mean --split train",
		Subcommands: []*cli.Command{embeddingsInfoCommand(), embeddingsVerifyCommand(), embeddingsExportCommand()},
	}
}

func embeddingsInfoCommand() *cli.Command {
	return &cli.Command{
		Name:        "info",
		Usage:       "what a store holds",
		ArgsUsage:   "STORE",
		Description: "   graft embeddings info E --verify --json -",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "verify", Usage: "also compare every file with its hash, as embeddings verify does"},
			jsonFlag(),
		},
		Action: embeddingsInfo,
	}
}

func embeddingsVerifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check a store: every shard, every file, every hash",
		ArgsUsage: "STORE",
		Description: "   graft embeddings verify E --json -\n\n" +
			"Names every missing, damaged and unexpected file with its shard, and the command that mends the store. Exit status 1\n" +
			"when the store is not sound. It may run beside an extraction: what is not made yet is reported as missing.",
		Flags:  []cli.Flag{jsonFlag()},
		Action: embeddingsVerify,
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
	s, err := store.Open(c.Args().First())
	if err != nil {
		return err
	}
	out := humanOut(c)
	if err := s.Info().Print(out); err != nil {
		return err
	}
	if c.Bool("verify") {
		if _, err := verifyStore(c, out); err != nil {
			return err
		}
	}
	return writeJSON(c, "graft-store-1", s.Info())
}

func embeddingsVerify(c *cli.Context) error {
	r, err := verifyStore(c, humanOut(c))
	if r.Store == "" { // no store to report on
		return err
	}
	return errors.Join(writeJSON(c, "graft-verify-1", r), err)
}

// verifyStore checks the store that the command names and prints what it found.
func verifyStore(c *cli.Context, out io.Writer) (store.Report, error) {
	r, err := store.Verify(c.Context, c.Args().First(), newProgress(c, "verifying (files)"))
	if err == nil {
		err = errors.Join(r.Print(out), r.Err())
	}
	return r, err
}

func embeddingsExport(c *cli.Context) error {
	s, err := store.Open(c.Args().First())
	if err != nil {
		return err
	}
	return s.Export(c.Context, c.String("out"), store.ExportOptions{
		Taps: []string{c.String("taps")}, Split: c.String("split"), Flip: c.Bool("flip"),
	}, newProgress(c, "exporting (rows)"))
}
