package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/internal/plural"
	"graft/preprocess/dataset"
)

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:  "data",
		Usage: "look at data sets, audit and convert them, draw the synthetic one",
		Subcommands: []*cli.Command{
			{
				Name: "info", Usage: "images per split and class, and what is wrong with them",
				Description: "Counts a data set's images and checks it: every row of a CSV, every image of a folder or list.\n" +
					"Bad ones are all listed, with reasons; without --skip-bad the exit status tells of them too.\n\n" +
					"Example:\n   graft data info --data fer2013.tar.gz --ferplus fer2013new.csv\n" +
					"   graft data info --data list:photos.csv --skip-bad --json -",
				Flags: append(datasetFlags(), seedFlag(), jsonFlag(),
					&cli.BoolFlag{Name: "no-verify", Usage: "do not decode the images of folders"},
					&cli.BoolFlag{Name: "fingerprint", Usage: "also hash what decides pixels, labels and order"}),
				Action: dataInfo,
			},
			{
				Name: "convert", Usage: "write a data set as CSV or as a folder of PNG files",
				Description: "Writes FER2013's CSV where --out ends in .csv or .csv.gz, else a folder of PNG files.\n" +
					"Pixels, labels, splits and, for FER2013, the order survive the round trip.\n\n" +
					"Example:\n   graft data convert --data fer2013.tar.gz --out faces/\n   graft data convert --data faces/ --out again.csv.gz",
				Flags:  append(datasetFlags(), seedFlag(), outFlag("`FILE` ending in .csv or .csv.gz, or a new or empty folder")),
				Action: dataConvert,
			},
			{
				Name: "synth", Usage: "draw the synthetic faces into a folder or CSV",
				Description: "Draws seven-class 48×48 gray faces in FER2013's layout; --data synthetic uses the same\n" +
					"faces without writing them.\n\n" +
					"Example:\n   graft data synth --out faces/ --per-class 500 --seed 7",
				Flags:  []cli.Flag{perClassFlag(), seedFlag(), outFlag("`FOLDER`, new or empty, or a file ending in .csv or .csv.gz")},
				Action: dataSynth,
			},
			dataAuditCommand(), dataCleanCommand(), dataShowCommand(),
		},
	}
}

func outFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "out", Required: true, Usage: usage}
}

func perClassFlag() cli.Flag {
	return atLeast(1, &cli.IntFlag{Name: "per-class", Category: dataHeading, Value: dataset.DefaultPerClass, Usage: "training `IMAGES` a class of a synthetic set"})
}

// datasetFlags are the flags of every command that opens a data set, read by
// openDataset; --seed, where a command has it, seeds the synthetic set too.
func datasetFlags() []cli.Flag {
	return append([]cli.Flag{
		dataFlag(),
		&cli.StringFlag{Name: "ferplus", Category: dataHeading, Usage: "FER+ votes: `FILE` fer2013new.csv, whose row i belongs to row i of fer2013.csv"},
		skipBadFlag(),
		perClassFlag(),
	}, sharesFlags()...)
}

// sharesFlags say how a set without splits is split; one that has its own refuses them.
func sharesFlags() []cli.Flag {
	return grouped(dataHeading,
		&cli.StringFlag{Name: "split-shares", DefaultText: dataset.DefaultShares, Usage: "of a set without splits: `SHARES` of train, val and test, or of train and test; a hash of each image, or of its group, decides, so that more images move none"},
		&cli.Uint64Flag{Name: "split-seed", Usage: "of a set without splits: another `SEED`, another split"},
		&cli.StringFlag{Name: "split-record", Usage: "of a set without splits: a `FILE` that keeps which image went where, and near duplicates with the first of them"})
}

func groupByFlag() cli.Flag {
	return &cli.StringFlag{Name: "group-by", Category: dataHeading, Usage: "images of one `GROUP` (person, film, patient) never stand on both sides of a split: a list's column, " +
		"or a pattern of the images' names with the group in parentheses, as '^([^_]+)_'"}
}

// dataRef is the data set that the flags name.
func dataRef(c *cli.Context) dataset.Ref {
	return dataset.Ref{Path: c.String("data"), FERPlus: c.String("ferplus"), SkipBad: c.Bool("skip-bad"), Seed: c.Uint64("seed"), PerClass: c.Int("per-class"),
		GroupBy: c.String("group-by"), SkipUnknown: c.Bool("skip-unknown"), SplitShares: c.String("split-shares"), SplitSeed: c.Uint64("split-seed"), SplitRecord: c.String("split-record")}
}

// openDataset opens what the flags of datasetFlags say. Warnings and a summary
// of what was left out go to stderr. Images of folders are decoded only when
// they are used.
func openDataset(c *cli.Context) (*dataset.Dataset, error) {
	return openVerified(c, false, c.Bool("skip-bad"))
}

// openVerified is openDataset that can decode every image of a folder first, and
// leave out what is bad whatever the flags say.
func openVerified(c *cli.Context, verify, skipBad bool) (*dataset.Dataset, error) {
	ref := dataRef(c)
	ref.Verify, ref.SkipBad = verify, skipBad
	return openRef(c, ref)
}

// openRef opens what the flags say, changed where a command wants it otherwise.
func openRef(c *cli.Context, ref dataset.Ref) (*dataset.Dataset, error) {
	if err := refuseDrawn(c, "per-class"); err != nil {
		return nil, err
	}
	d, err := dataset.Open(c.Context, ref, newProgress(c, "reading "+ref.Name()+" (bytes)"))
	if err != nil {
		return nil, err
	}
	for _, w := range d.Warnings {
		warnf(c, "%s", w)
	}
	if n := len(d.Bad); n > 0 {
		warnf(c, "%s: %s left out; the first: %s: %s", d.Path, plural.Of(n, "bad entry"), d.Bad[0].Where, d.Bad[0].Reason)
	}
	return d, nil
}

func dataInfo(c *cli.Context) error {
	if err := refuseDrawn(c, "seed"); err != nil {
		return err
	}
	d, err := openVerified(c, !c.Bool("no-verify"), true)
	if err != nil {
		return err
	}
	defer d.Close()
	if !d.Photos() {
		if err := refuse(c, "only image files are decoded here", "no-verify"); err != nil {
			return err
		}
	}
	info := d.Info()
	if c.Bool("fingerprint") {
		if info.Fingerprint, err = d.Fingerprint(c.Context); err != nil {
			return err
		}
	}
	if err := cmp.Or(printInfo(humanOut(c), info), writeJSON(c, "graft-dataset-1", info)); err != nil {
		return err
	}
	if n := len(info.Bad); n > 0 && !c.Bool("skip-bad") {
		return fmt.Errorf("%s: %s; the first: %s: %s", d.Path, plural.Of(n, "bad entry"), info.Bad[0].Where, info.Bad[0].Reason)
	}
	return nil
}

// printInfo prints the table of splits and classes, then what was left out.
func printInfo(w io.Writer, info dataset.Info) error {
	fmt.Fprintf(w, "%s (%s)\n\n", info.Path, info.Kind)
	t := columns.NewRight(w, 2)
	fmt.Fprint(t, "class\t")
	for _, s := range info.SplitNames {
		fmt.Fprintf(t, "%s\t", s)
	}
	fmt.Fprintln(t)
	for _, class := range info.Classes {
		fmt.Fprintf(t, "%s\t", class)
		for _, s := range info.SplitNames {
			fmt.Fprintf(t, "%d\t", info.Splits[s].Classes[class])
		}
		fmt.Fprintln(t)
	}
	fmt.Fprint(t, "all\t")
	for _, s := range info.SplitNames {
		fmt.Fprintf(t, "%d\t", info.Splits[s].Total)
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}
	if info.FERPlus {
		fmt.Fprintln(w, "\nwith FER+ votes")
	}
	if info.Fingerprint != "" {
		fmt.Fprintf(w, "\nfingerprint %s\n", info.Fingerprint)
	}
	printBad(w, info.Bad)
	return nil
}

// printBad lists what was left out, up to a screenful; --json has it all.
func printBad(w io.Writer, bad []dataset.Bad) {
	const most = 20
	if len(bad) > 0 {
		fmt.Fprintf(w, "\n%s left out:\n", plural.Of(len(bad), "bad entry"))
	}
	for i, b := range bad {
		if i == most {
			fmt.Fprintf(w, "  … and %d more (--json FILE lists all)\n", len(bad)-most)
			return
		}
		fmt.Fprintf(w, "  %s: %s\n", b.Where, b.Reason)
	}
}

func dataConvert(c *cli.Context) error {
	if err := cmp.Or(refuseDrawn(c, "seed"), refuse(c, "votes are not converted", "ferplus")); err != nil {
		return err
	}
	// Bad images must be known before the first one is written.
	d, err := openVerified(c, c.Bool("skip-bad"), c.Bool("skip-bad"))
	if err != nil {
		return err
	}
	defer d.Close()
	return convertTo(c, d)
}

func dataSynth(c *cli.Context) error {
	ref := dataRef(c)
	ref.Path = dataset.SyntheticPath
	d, err := dataset.Open(c.Context, ref, nil)
	if err != nil {
		return err
	}
	defer d.Close()
	return convertTo(c, d)
}

func convertTo(c *cli.Context, d *dataset.Dataset) error {
	out := c.String("out")
	if err := dataset.Convert(c.Context, d, out, newProgress(c, "writing (images)")); err != nil {
		return err
	}
	logf(c, "wrote %s to %s", plural.Of(len(d.Samples), "image"), filepath.Clean(out))
	return nil
}
