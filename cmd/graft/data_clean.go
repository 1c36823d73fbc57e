package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/finetune/audit"
	"graft/internal/plural"
	"graft/preprocess/dataset"
)

func dataCleanCommand() *cli.Command {
	return &cli.Command{
		Name: "clean", Usage: "propose changes from an audit; make the data set without what was dropped",
		Description: "In two steps, with you between them:\n\n" +
			"   graft data clean --audit audit --out changes.csv\n" +
			"   graft data clean --data fer2013.tar.gz --changes changes.csv --out cleaned.csv\n\n" +
			"The first writes changes.csv: a row of index, id, change (drop or relabel), new_label and reason for each change,\n" +
			"meant to be read and edited. It proposes to drop from train what cannot be decoded or is one value throughout; rows\n" +
			"that another split has too, equal or as near duplicates; of equal images all but one, and all where no label is that\n" +
			"of more than half. Other splits are never changed. Near duplicates within train and labels that are probably wrong\n" +
			"are left unless asked for:\n\n" +
			"   graft data clean --audit audit --near --labels relabel --top 500 --out changes.csv\n\n" +
			"The second makes what changes.csv says and nothing else: FER2013's CSV becomes such a CSV, a folder or list becomes\n" +
			"a list of the files where they are (--data list:FILE). The set itself stays as it is.",
		Flags: append(sharesFlags(),
			&cli.StringFlag{Name: "audit", Usage: "`FOLDER` of graft data audit: propose changes"},
			&cli.BoolFlag{Name: "near", Usage: "with --audit: drop near duplicates within train too, all but the first"},
			&cli.StringFlag{Name: "labels", Usage: "with --audit: what to do with labels of train that are probably wrong, `CHANGE` drop or relabel (default: nothing)"},
			atLeast(1, &cli.IntFlag{Name: "top", Usage: "with --labels: only the `ROWS` that are most doubtful (default: all)"}),
			&cli.StringFlag{Name: "changes", Usage: "`FILE` of changes, edited: make them in --data"},
			&cli.StringFlag{Name: "data", Usage: "with --changes: the `DATASET` that was audited"},
			groupByFlag(), perClassFlag(), seedFlag(),
			outFlag("`FILE`: with --audit the changes, with --changes the cleaned set"),
		),
		Action: dataClean,
	}
}

func dataClean(c *cli.Context) error {
	switch {
	case c.IsSet("audit") == c.IsSet("changes"):
		return usageErrorf("data clean wants --audit to propose changes, or --changes to make them; see '%s --help'", commandName(c))
	case c.IsSet("audit"):
		return cmp.Or(refuse(c, "changes are only proposed, by the audit alone", "data", "group-by", "per-class", "seed", "split-shares", "split-seed", "split-record"), proposeChanges(c))
	case !c.IsSet("data"):
		return usageErrorf("data clean --changes wants --data, the data set that was audited")
	}
	return cmp.Or(refuse(c, "the changes are already chosen", "near", "labels", "top"), makeChanges(c))
}

func proposeChanges(c *cli.Context) error {
	p := audit.Proposal{Near: c.Bool("near"), Labels: c.String("labels"), Top: c.Int("top")}
	if p.Labels == "" {
		if err := refuse(c, "no labels are changed without --labels", "top"); err != nil {
			return err
		}
	} else if p.Labels != audit.Drop && p.Labels != audit.Relabel {
		return usageErrorf("--labels %q, want %s or %s", p.Labels, audit.Drop, audit.Relabel)
	}
	changes, err := audit.Propose(c.String("audit"), p)
	if err != nil {
		return err
	}
	out := c.String("out")
	if err := audit.WriteChanges(out, changes); err != nil {
		return err
	}
	dropped, relabelled := 0, 0
	for _, change := range changes {
		if change.Change == audit.Drop {
			dropped++
		} else {
			relabelled++
		}
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s of train to drop, %d to relabel. Read and edit it, then:\n"+
		"  graft data clean --data DATASET --changes %s --out CLEANED\n", out, plural.Of(dropped, "row"), relabelled, out)
	return err
}

func makeChanges(c *cli.Context) (err error) {
	if err := refuseDrawn(c, "seed"); err != nil {
		return err
	}
	changes, err := audit.ReadChanges(c.String("changes"))
	if err != nil {
		return err
	}
	d, err := openVerified(c, false, true)
	if err != nil {
		return err
	}
	defer closeInto(&err, d)
	dropped, relabelled, err := audit.Apply(d, changes)
	if err != nil {
		return err
	}
	out := c.String("out")
	if err := dataset.Rewrite(c.Context, d, out, newProgress(c, "writing (images)")); err != nil {
		return err
	}
	name := filepath.Clean(out)
	if d.Photos() {
		name = dataset.ListPrefix + name
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s, %d dropped, %d relabelled; take it as --data %s\n", out, plural.Of(len(d.Samples), "image"), dropped, relabelled, name)
	return err
}
