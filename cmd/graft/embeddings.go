package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/judge"
	"graft/internal/columns"
	"graft/internal/plural"
	"graft/pretrained/store"
)

// embeddingsCommand looks into embedding stores.
func embeddingsCommand() *cli.Command {
	return &cli.Command{
		Name:  "embeddings",
		Usage: "what an embedding store holds; check it; export it; search it by an image",
		Description: "   graft embeddings info E\n" +
			"   graft embeddings verify E\n" +
			"   graft embeddings export E --out features.parquet --taps cls,mean --split train\n" +
			"   graft embeddings search E photo.jpg --top 5",
		Subcommands: []*cli.Command{embeddingsInfoCommand(), embeddingsVerifyCommand(), embeddingsExportCommand(), embeddingsSearchCommand()},
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
			&cli.BoolFlag{Name: "force", Usage: "replace a file that is there"},
		},
		Action: embeddingsExport,
	}
}

func embeddingsSearchCommand() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "the rows whose images are most like one of yours",
		ArgsUsage: "STORE IMAGE",
		Description: "   graft embeddings search E photo.jpg --top 5 --split train\n\n" +
			"The image goes through the store's own backbone, which is found beside the store or named (--model); its hash must be\n" +
			"the recorded one. Rows are compared by the cosine of their features, the taps side by side.",
		Flags: append([]cli.Flag{
			atLeast(1, &cli.IntFlag{Name: "top", Value: 10, Usage: "show the `N` nearest rows"}),
			&cli.StringFlag{Name: "taps", Usage: "`TAPS`, separated by commas (default: all)"},
			&cli.StringFlag{Name: "split", Usage: "only rows of this `SPLIT` (default: all)"},
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it does not lie beside the store; its hash must be the recorded one"},
			jsonFlag(),
		}, providerFlags()...),
		Action: embeddingsSearch,
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
	done, err := s.Export(c.Context, c.String("out"), store.ExportOptions{
		Taps: []string{c.String("taps")}, Split: c.String("split"), Flip: c.Bool("flip"), Force: c.Bool("force"),
	}, newProgress(c, "exporting (rows)"))
	if err == nil {
		logf(c, "%s", done) // not among the rows where these go to /dev/stdout
	}
	return err
}

func embeddingsSearch(c *cli.Context) error {
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	found, err := judge.Search(c.Context, judge.SearchConfig{
		Embeddings: c.Args().Get(0), Image: c.Args().Get(1), Model: c.String("model"), Taps: []string{c.String("taps")},
		Split: c.String("split"), K: c.Int("top"), Runtime: o.Runtime,
	})
	if err != nil {
		return err
	}
	return cmp.Or(printFound(humanOut(c), found), writeJSON(c, "graft-search-1", found))
}

// printFound writes the rows as a table.
func printFound(out io.Writer, f judge.Found) error {
	fmt.Fprintf(out, "%s: nearest of %s by %s\n", f.Image, plural.Of(f.Rows, "row"), strings.Join(f.Taps, ", "))
	t := columns.New(out, 2)
	fmt.Fprintln(t, "cosine\tlabel\tsplit\timage")
	for _, r := range f.Near {
		fmt.Fprintf(t, "%.4f\t%s\t%s\t%s\n", r.Cosine, r.Label, r.Split, r.ID)
	}
	return t.Flush()
}
