package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"graft/internal/bench"
	"graft/onnx/ort"
	extractbench "graft/pretrained/extract/bench"
)

// benchCommand measures throughput on this machine.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "throughput of extraction on this machine",
		Description: "Extraction, from a dataset to a store on disk, against a bare ONNX Runtime session on the same graph,\n" +
			"batch and threads; in turns, on random pixels:\n\n" +
			"   graft bench --model vit_b_16.onnx --batch 16 --rounds 5\n" +
			"   graft bench --json -",
		Flags: append(providerFlags(),
			&cli.StringFlag{Name: "model", Usage: "backbone: an ONNX `FILE` that graft exported (default: see --random-init)"},
			&cli.Uint64Flag{Name: "random-init", Value: 1, Usage: "without --model: `SEED` of a random network"},
			&cli.StringFlag{Name: "arch", Value: "vit_b_16", Usage: "`NAME` of the random network: vit_b_16, vit_s_16, vit_ti_16 or vit_l_16"},
			&cli.IntFlag{Name: "batch", Value: 8, Usage: "`IMAGES` per inference"},
			&cli.IntFlag{Name: "images", Value: 64, Usage: "`IMAGES` per round"},
			&cli.IntFlag{Name: "rounds", Value: 3, Usage: "`NUMBER` of rounds; medians are reported"},
			jsonFlag()),
		Action: benchAction,
	}
}

func benchAction(c *cli.Context) error {
	if err := exactArgs(c); err != nil {
		return err
	}
	if err := atLeast(c, 1, "batch", "images", "rounds"); err != nil {
		return err
	}
	provider, err := ort.ParseProvider(c.String("provider"))
	if err != nil {
		return usageErrorf("%v", err)
	}
	cases, err := extractbench.Run(c.Context, extractbench.Config{
		Model: c.String("model"), Arch: c.String("arch"), Seed: c.Uint64("random-init"),
		Batch: c.Int("batch"), Images: c.Int("images"), Rounds: c.Int("rounds"),
		Runtime: ort.Options{Provider: provider, Device: c.Int("device"), Threads: c.Int("threads"), AllowFallback: c.Bool("allow-fallback")},
	}, newProgress(c, "measuring"))
	if err != nil {
		return err
	}
	if err := printCases(humanOut(c), cases); err != nil {
		return err
	}
	return writeJSON(c, bench.Report{Cases: cases})
}

func printCases(out io.Writer, cases []bench.Case) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "case\titems/s\tseconds\tbatch\tprovider\tprecision\trelative speed")
	for _, k := range cases {
		ratio := ""
		if k.Baseline != "" {
			ratio = fmt.Sprintf("%.1f%% of %s (%.1f to %.1f%%)", 100*k.Ratio, k.Baseline, 100*slices.Min(k.Ratios), 100*slices.Max(k.Ratios))
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%d\t%s\t%s\t%s\n", k.Name, k.ItemsPerSecond, k.Seconds, k.Batch, k.Provider, k.Precision, ratio)
	}
	return w.Flush()
}
