package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/report/show"
)

func dataShowCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "pictures of samples of each class, and of the classes' distribution",
		Description: "Draws some images of each class side by side, and bars of how many each split has:\n\n" +
			"   graft data show --data fer2013.tar.gz --out shown\n   graft data show --data photos --split val --samples 12 --out shown --html",
		Flags: append(append(datasetFlags(), seedFlag(), outFlag("`FOLDER` for the pictures, new, empty or of an earlier call"),
			&cli.StringFlag{Name: "split", Usage: "the `SPLIT` whose images are shown (default: the first one)"},
			atLeast(1, &cli.IntFlag{Name: "samples", Value: 8, Usage: "show `N` images of each class"}), jsonFlag()), formFlags()...),
		Action: dataShow,
	}
}

func dataShow(c *cli.Context) (err error) {
	if err := refuse(c, "votes are not shown", "ferplus"); err != nil {
		return err
	}
	form, err := formOf(c)
	if err != nil {
		return err
	}
	d, err := openVerified(c, c.Bool("skip-bad"), c.Bool("skip-bad"))
	if err != nil {
		return err
	}
	defer closeInto(&err, d)
	r, err := show.Data(c.Context, show.DataConfig{Data: d, Split: c.String("split"), Samples: c.Int("samples"), Seed: c.Uint64("seed")})
	if err != nil {
		return err
	}
	if err := r.Write(show.Folder{Path: c.String("out"), Form: form, Force: c.Bool("force")}); err != nil {
		return err
	}
	printFiles(c, r.Files)
	return writeJSON(c, show.DataSchema, r)
}

// printFiles names what lies in --out.
func printFiles(c *cli.Context, files []string) {
	for _, f := range files {
		fmt.Fprintln(humanOut(c), filepath.Join(c.String("out"), f))
	}
}
