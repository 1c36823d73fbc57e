package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/bench"
	"graft/internal/columns"
	"graft/internal/measure"
	"graft/internal/memory"
	"graft/onnx/session"
	"graft/pretrained/extract/throughput"
	"graft/pretrained/store"
	"graft/pretrained/vit"
)

// The cases that measure extraction, of faces and of photographs; the others are
// bench's.
const (
	extractWord = "extract"
	photosWord  = "extract-jpeg"
)

// defaultImages is what extraction is measured on: of photographs enough that filling the pipeline does not count.
var defaultImages = map[string]int{extractWord: 64, photosWord: 256}

// benchCommand measures throughput on this machine.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "throughput of extraction, heads and training on this machine",
		Description: "Measures the cases named, on random data:\n\n" +
			"   extract       from a dataset to a store on disk, against a bare ONNX Runtime\n" +
			"                 session on the same graph, pixels, batch and threads, as many\n" +
			"                 inferences at once, in turns\n" +
			"   extract-jpeg  the same from a folder of 500×375 JPEG photographs, and\n" +
			"                 decoding on one core; says which side is the bottleneck (each\n" +
			"                 has the --threads)\n" +
			"   head          whole fits of a logistic regression to features\n" +
			"   cnn, vit      passes of the study's recipe over images in memory\n" +
			"   sgemm         matrix products against ONNX Runtime's on the same threads,\n" +
			"                 in turns\n\n" +
			"   graft bench --model vit_b_16.onnx --batch 16 --rounds 5\n" +
			"   graft bench --cases cnn,vit --threads 1 --json -\n" +
			"   graft bench --cases all\n\n" +
			"--provider all measures extract on each provider that runs here, in a process\n" +
			"of its own; with --remember, auto takes them in that order from then on:\n\n" +
			"   graft bench --provider all --arch vit_ti_16 --remember",
		Flags: append(providerFlags(),
			&cli.BoolFlag{Name: "remember", Usage: "with --provider all: have auto try the providers in the order of their rates, on this machine"},
			&cli.StringFlag{Name: "cases", Value: extractWord, Usage: "`WORDS`: " + strings.Join(benchWords(), ",") + " or all"},
			&cli.StringFlag{Name: "model", Usage: "extract: the backbone, an ONNX `FILE` that graft exported (default: see --random-init)"},
			&cli.Uint64Flag{Name: "random-init", Value: 1, Usage: "`SEED` of random data and, without --model, of a random network"},
			&cli.StringFlag{Name: "arch", Value: "vit_b_16", Usage: "extract: `NAME` of the random network: vit_b_16, vit_s_16, vit_ti_16, vit_l_16 or vit_mini_8"},
			between(0, store.MaxBatch, &cli.IntFlag{Name: "batch", DefaultText: "for extract " + batchText + ", for cnn and vit the study's 32", Usage: "`IMAGES` per inference or training step"}),
			atLeast(0, &cli.IntFlag{Name: "images", DefaultText: fmt.Sprintf("%d for extract, %d for extract-jpeg, an epoch of %d for cnn and vit", defaultImages[extractWord], defaultImages[photosWord], bench.DefaultRows), Usage: "`IMAGES` per round"}),
			atLeast(1, &cli.IntFlag{Name: "rows", Value: bench.DefaultRows, Usage: "head: `ROWS` of features"}),
			atLeast(1, &cli.IntFlag{Name: "dim", Value: bench.DefaultDim, Usage: "head: `FEATURES` of a row"}),
			atLeast(1, &cli.IntFlag{Name: "rounds", Value: 3, Usage: "`NUMBER` of rounds; medians are reported"}),
			jsonFlag()),
		Action: benchAction,
	}
}

func benchWords() []string {
	return append([]string{extractWord, photosWord}, bench.Words()...)
}

func benchAction(c *cli.Context) error {
	words, err := benchCases(c)
	if err != nil {
		return err
	}
	if c.String("provider") == allProviders {
		return benchProviders(c, words)
	}
	if err := refuse(c, "only --provider all measures several", "remember"); err != nil {
		return err
	}
	if arch := c.String("arch"); !slices.Contains(vit.Archs(), arch) {
		return usageErrorf("--arch %q: want one of %s", arch, strings.Join(vit.Archs(), ", "))
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	if err := refuseOtherCases(c, words); err != nil {
		return err
	}
	var cases []measure.Case
	for _, word := range words {
		list, err := benchCase(c, word, o.Runtime)
		if err != nil {
			return err
		}
		cases = append(cases, list...)
	}
	return cmp.Or(printCases(humanOut(c), cases), writeJSON(c, "graft-bench-1", measure.Report{Cases: cases}))
}

// benchCases are the words asked for, each once.
func benchCases(c *cli.Context) ([]string, error) {
	var words []string
	for _, word := range splitWords(c.String("cases")) {
		switch {
		case word == "all":
			words = append(words, benchWords()...)
		case slices.Contains(benchWords(), word):
			words = append(words, word)
		default:
			return nil, usageErrorf("--cases %q: want %s or all", word, strings.Join(benchWords(), ", "))
		}
	}
	if words == nil {
		return nil, usageErrorf("--cases is empty: want %s or all", strings.Join(benchWords(), ", "))
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(words, func(word string) bool {
		again := seen[word]
		seen[word] = true
		return again
	}), nil
}

// refuseOtherCases refuses the settings of cases that are not measured.
func refuseOtherCases(c *cli.Context, words []string) error {
	extracts := []string{extractWord, photosWord}
	networks := []string{bench.CNN, bench.ViT}
	for _, of := range []struct{ flags, cases []string }{
		{append([]string{"model", "arch"}, runtimeNames...), extracts},
		{[]string{"batch", "images"}, slices.Concat(extracts, networks)},
		{[]string{"rows", "dim"}, []string{bench.Head}},
	} {
		if slices.ContainsFunc(of.cases, func(word string) bool { return slices.Contains(words, word) }) {
			continue
		}
		if err := refuse(c, "only "+strings.Join(of.cases, ", ")+" know it, and --cases names none of them", of.flags...); err != nil {
			return err
		}
	}
	if c.IsSet("model") {
		return refuse(c, "--model names a network", "arch")
	}
	return nil
}

func benchCase(c *cli.Context, word string, runtime session.Options) ([]measure.Case, error) {
	progress := newProgress(c, "measuring "+word)
	if word == extractWord || word == photosWord {
		return throughput.Run(c.Context, throughput.Config{
			Model: c.String("model"), Arch: c.String("arch"), Seed: c.Uint64("random-init"), Photos: word == photosWord,
			Batch: c.Int("batch"), Images: cmp.Or(c.Int("images"), defaultImages[word]), Rounds: c.Int("rounds"),
			Runtime: runtime,
		}, progress)
	}
	if err := checkRoom(c.Int("rows"), c.Int("dim"), memory.Free); word == bench.Head && err != nil {
		return nil, err
	}
	return bench.Run(c.Context, word, bench.Config{
		Seed: c.Uint64("random-init"), Rounds: c.Int("rounds"), Threads: c.Int("threads"),
		Rows: c.Int("rows"), Dim: c.Int("dim"), Images: c.Int("images"), Batch: c.Int("batch"),
	}, progress)
}

// checkRoom wants features that fit into the memory that is free, where the system tells that.
func checkRoom(rows, dim int, freeBytes func() (int64, error)) error {
	free, err := freeBytes()
	if err != nil {
		return nil
	}
	if need := 4 * float64(rows) * float64(dim); need > float64(free) {
		return usageErrorf("--rows %d and --dim %d are %.0f GB of features, want %.0f at most, which are free here", rows, dim, need/1e9, float64(free)/1e9)
	}
	return nil
}

// batchOf is a case's batch, and how many run at once where it is not one.
func batchOf(k measure.Case) string {
	if k.Streams < 2 {
		return strconv.Itoa(k.Batch)
	}
	return fmt.Sprintf("%d×%d", k.Batch, k.Streams)
}

func printCases(out io.Writer, cases []measure.Case) error {
	w := columns.New(out, 2)
	fmt.Fprintln(w, "case\trate\tseconds\tbatch\tprovider\tprecision\trelative speed")
	for _, k := range cases {
		ratio := ""
		if k.Baseline != "" {
			ratio = fmt.Sprintf("%.1f%% of %s (%.1f to %.1f%%)", 100*k.Ratio, k.Baseline, 100*slices.Min(k.Ratios), 100*slices.Max(k.Ratios))
		}
		fmt.Fprintf(w, "%s\t%.2f %s/s\t%.3g\t%s\t%s\t%s\t%s\n", k.Name, k.ItemsPerSecond, k.Unit, k.Seconds, batchOf(k), k.Provider, k.Precision, ratio)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, k := range cases {
		if k.Note != "" {
			fmt.Fprintf(out, "%s: %s\n", k.Name, k.Note)
		}
	}
	return nil
}
