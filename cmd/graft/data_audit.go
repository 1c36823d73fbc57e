package main

import (
	"cmp"

	"github.com/urfave/cli/v2"

	"graft/finetune/audit"
)

func dataAuditCommand() *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "leaks between splits, duplicates, contradicting labels, broken images",
		Description: "Looks through a data set for what flatters or spoils results, and changes nothing: images that are in two splits,\n" +
			"by equal pixels or as near duplicates; rows that repeat others; equal images with several labels; images of one\n" +
			"value, tiny, cut short or not to be read; and how often each class is in each split.\n\n" +
			"Example:\n   graft data audit --data fer2013.tar.gz --out audit\n\n" +
			"--out gets audit.json, and a CSV and a Parquet file of the rows of each finding.",
		Flags: []cli.Flag{dataFlag(), groupByFlag(), perClassFlag(), seedFlag(), jsonFlag(), outFlag("`FOLDER` for the findings"),
			atLeast(0, &cli.IntFlag{Name: "tiny", Value: audit.DefaultTiny, Usage: "images with a side below so many `PIXELS` are tiny"}),
		},
		Action: dataAudit,
	}
}

func dataAudit(c *cli.Context) (err error) {
	if err := refuseDrawn(c, "seed"); err != nil {
		return err
	}
	d, err := openVerified(c, false, true)
	if err != nil {
		return err
	}
	defer closeInto(&err, d)
	r, err := audit.Run(c.Context, audit.Config{Data: d, Out: c.String("out"), Tiny: c.Int("tiny"), Progress: observer(c).Progress})
	if err != nil {
		return err
	}
	return cmp.Or(r.WriteText(humanOut(c)), writeJSON(c, audit.Schema, r))
}
