package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/urfave/cli/v2"

	"graft/internal/atomicfile"
	"graft/report"
)

// reportCommand makes a page of runs.
func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "one page of runs, their faces, the data's audit and a map of its embeddings",
		ArgsUsage: "[RUN...]",
		Description: "Writes one HTML file that loads nothing and opens from disk: figures with intervals, the tests of several runs, confusion\n" +
			"matrices whose numbers open the faces in them, curves, reliability, the worst mistakes, how often each class is there:\n\n" +
			"   graft report runs/head --out report.html\n" +
			"   graft report runs/* --audit audit --out report.html --open\n" +
			"   graft report --embeddings embeddings --atlas atlas.parquet --out map.html\n\n" +
			"Faces come from where the runs and stores say that their images lay, or from --data. docs/report.md tells more.",
		Flags: []cli.Flag{
			outFlag("`FILE` for the page"),
			&cli.StringFlag{Name: "data", Usage: "`DATASET` whose images are shown, if they are not where the runs say"},
			&cli.StringFlag{Name: "audit", Usage: "`FOLDER` of graft data audit, whose findings are shown"},
			&cli.StringFlag{Name: "embeddings", Usage: "`FOLDER` of the embedding store that the map is of (default: the first run's)"},
			&cli.StringFlag{Name: "atlas", Usage: "also write the map of all images, with their neighbours, as Parquet to `FILE`, which the program embedding-atlas opens"},
			openFlag(),
			jsonFlag(),
		},
		Action: writeReport,
	}
}

func writeReport(c *cli.Context) error {
	if c.NArg() == 0 && c.String("audit") == "" && c.String("embeddings") == "" {
		return usageErrorf("report wants RUN..., --audit or --embeddings; see '%s --help'", commandName(c))
	}
	config := report.Config{Runs: c.Args().Slice(), Data: dataRef(c), Audit: c.String("audit"), Embeddings: c.String("embeddings"),
		Atlas: c.String("atlas"), Program: madeBy(c), Progress: observer(c).Progress}
	r, err := writePage(c, config, c.String("out"))
	if err != nil {
		return err
	}
	return writeJSON(c, report.Schema, r)
}

func openFlag() cli.Flag {
	return &cli.BoolFlag{Name: "open", Usage: "open the page in the browser"}
}

// writePage makes a report, tells what it does not show, and opens it if that was asked for.
func writePage(c *cli.Context, config report.Config, out string) (*report.Report, error) {
	r, err := report.Make(c.Context, config)
	if err != nil {
		return nil, err
	}
	page, err := r.HTML()
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(out, page); err != nil {
		return nil, err
	}
	for _, n := range r.Notes {
		logf(c, "note: %s", n)
	}
	fmt.Fprintf(humanOut(c), "%s: %.1f MB\n", out, float64(len(page))/1e6)
	if c.Bool("open") {
		openPage(c, out)
	}
	return r, nil
}

// openPage shows a file in the browser; where none opens, its address is told.
func openPage(c *cli.Context, path string) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	words := []string{"xdg-open", path}
	switch runtime.GOOS {
	case "darwin":
		words[0] = "open"
	case "windows":
		words = []string{"rundll32", "url.dll,FileProtocolHandler", path}
	}
	if err := exec.Command(words[0], words[1:]...).Start(); err != nil {
		warnf(c, "no browser could be opened (%v); the page is at file://%s", err, filepath.ToSlash(path))
	}
}
