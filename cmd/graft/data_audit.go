package main

import (
	"cmp"

	"github.com/urfave/cli/v2"

	"graft/finetune/audit"
	"graft/pretrained/store"
)

func dataAuditCommand() *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "leaks between splits, duplicates, contradicting labels, broken images",
		Description: "Looks through a data set for what flatters or spoils results, and changes nothing: images that are in two splits,\n" +
			"by equal pixels or as near duplicates; rows that repeat others; equal images with several labels; images of one\n" +
			"value, tiny, cut short or not to be read; and how often each class is in each split. With --embeddings also labels\n" +
			"that are probably wrong, images far from all others, and classes that are taken for each other.\n\n" +
			"Example:\n   graft data audit --data fer2013.tar.gz --out audit\n" +
			"   graft data audit --data fer2013.tar.gz --embeddings embeddings --out audit\n\n" +
			"--out gets audit.json, and a CSV and a Parquet file of the rows of each finding.",
		Flags: append(sharesFlags(), dataFlag(), groupByFlag(), perClassFlag(), seedFlag(), jsonFlag(), outFlag("`FOLDER` for the findings"),
			&cli.StringFlag{Name: "embeddings", Usage: "`FOLDER` of an embedding store of the same data set: labels, outliers and confused classes are judged too"},
			&cli.StringFlag{Name: "taps", Usage: "with --embeddings: `TAPS` to go by, such as cls,mean, or all (default: cls, mean and pool, as far as there are such)"},
			atLeast(0, &cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores)"}),
			atLeast(0, &cli.IntFlag{Name: "tiny", Value: audit.DefaultTiny, Usage: "images with a side below so many `PIXELS` are tiny"}),
		),
		Action: dataAudit,
	}
}

func dataAudit(c *cli.Context) (err error) {
	config := audit.Config{Out: c.String("out"), Tiny: c.Int("tiny"), Taps: splitWords(c.String("taps")), Seed: c.Uint64("seed"), Threads: c.Int("threads"), Progress: observer(c).Progress}
	if path := c.String("embeddings"); path != "" {
		if config.Store, err = store.Open(path); err != nil {
			return err
		}
	} else if err := cmp.Or(refuseDrawn(c, "seed"), refuse(c, "there are no --embeddings", "taps")); err != nil {
		return err
	}
	d, err := openVerified(c, false, true)
	if err != nil {
		return err
	}
	defer closeInto(&err, d)
	config.Data = d
	r, err := audit.Run(c.Context, config)
	if err != nil {
		return err
	}
	return cmp.Or(r.WriteText(humanOut(c)), writeJSON(c, audit.Schema, r))
}
