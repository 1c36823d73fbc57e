package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/models"
)

// modelCommand groups what is done with backbones: fetching, converting and
// looking into them.
func modelCommand() *cli.Command {
	return &cli.Command{
		Name:  "model",
		Usage: "pretrained vision transformers: list, download, convert, inspect",
		Description: "A backbone is an ONNX file from pixels to features. Make one from a checkpoint of the zoo, or from a file\n" +
			"of your own:\n\n" +
			"   graft model list\n" +
			"   graft model pull vit_b_16\n" +
			"   graft model export --weights my_vit.pth --out my_vit.onnx\n" +
			"   graft model info models/vit_b_16.onnx",
		Subcommands: []*cli.Command{
			modelListCommand(),
			modelPullCommand(),
			modelExportCommand(),
			modelInfoCommand(),
			modelBlocksCommand(),
			modelCheckCommand(),
			modelApplyCommand(),
		},
	}
}

// modelsDirFlag is the folder of checkpoints and their ONNX files.
func modelsDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: "models", Usage: "`FOLDER` of checkpoints and converted models"}
}

// modelListCommand prints the zoo.
func modelListCommand() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "the checkpoints that graft knows by name",
		Description: "Sizes are approximate. \"here\" tells what the folder holds: the weights, and the ONNX file made from them.\n\n" +
			"   graft model list\n" +
			"   graft model list --dir models --json zoo.json",
		Flags:  []cli.Flag{modelsDirFlag(), jsonFlag()},
		Action: modelList,
	}
}

// modelRow is an entry of the zoo and what of it is at hand.
type modelRow struct {
	models.Entry
	Bytes int64        `json:"approximate_bytes"`
	Here  models.State `json:"here"`
}

func modelList(c *cli.Context) error {
	var rows []modelRow
	for _, e := range models.List() {
		rows = append(rows, modelRow{Entry: e, Bytes: e.Size(), Here: e.State(c.String("dir"))})
	}
	printModels(humanOut(c), rows)
	return writeJSON(c, "graft-zoo-1", rows)
}

func printModels(out io.Writer, rows []modelRow) {
	w := columns.New(out, 1)
	fmt.Fprintln(w, "NAME\tMB\tHASH\tHERE\tLICENCE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%.*f\t%s\t%s\t%s\n", r.Name, digits(r.Bytes), float64(r.Bytes)/1e6, hashWord(r.SHA256), hereWord(r.Here), r.License)
	}
	fmt.Fprintln(w, "\n--json - tells of each where it comes from, what it was trained on, and its architecture.")
	_ = w.Flush()
}

// digits behind the point of as many bytes in MB.
func digits(bytes int64) int {
	if bytes < 1e6 {
		return 1
	}
	return 0
}

func hashWord(digest string) string {
	switch {
	case digest == "":
		return "not pinned"
	case len(digest) < 64:
		return "not pinned, " + digest + "…"
	}
	return digest[:8]
}

func hereWord(s models.State) string {
	switch {
	case s.Weights && s.ONNX:
		return "weights, onnx"
	case s.ONNX:
		return "onnx"
	case s.Weights:
		return "weights"
	case s.Partial:
		return "partly"
	}
	return "no"
}
