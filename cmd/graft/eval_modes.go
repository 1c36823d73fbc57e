package main

import (
	"errors"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
	"graft/internal/plural"
)

// evalMode is a way of judging.
type evalMode struct {
	flags []string // that have an effect
	why   string   // others have none
}

// evalAlways are the flags that every way of judging heeds.
var evalAlways = []string{"split", "threads", "confusion", "reliability", "predictions", "json"}

// Flags that go together.
var (
	evalRuntime = append([]string{"batch"}, runtimeNames...)
	evalImages  = []string{"data", "skip-bad", "skip-unknown", "group-by", "split-shares", "split-seed", "split-record"}
	evalDrawn   = []string{"seed", "per-class"} // of the synthetic dataset
)

// evalModeOf finds the way of judging that the arguments ask for.
func evalModeOf(c *cli.Context) (evalMode, error) {
	if c.IsSet("knn") {
		if c.NArg() > 0 {
			return evalMode{}, &usageError{idle.Errorf("knn", "eval --knn judges the store of --embeddings and takes no RUN, got %q", c.Args().Slice())}
		}
		return evalMode{[]string{"knn", "embeddings", "vote", "taps", "use-flip", "center"}, "neighbours are those of a store, that of --embeddings"}, nil
	}
	if c.NArg() != 1 {
		return evalMode{}, usageErrorf("eval wants one RUN, got %s", plural.Of(c.NArg(), "argument"))
	}
	if info, err := os.Stat(c.Args().First()); err == nil && !info.IsDir() {
		if c.String("data") == "" {
			return evalMode{}, usageErrorf("eval: an exported file does not say which dataset it was trained on; name one with --data")
		}
		return evalMode{slices.Concat(evalImages, evalRuntime), "an exported file is judged on the images of --data, with the backbone in it"}, nil
	}
	r, err := run.ReadConfig(c.Args().First())
	if err != nil {
		return evalMode{}, err
	}
	kind := r.Kind
	switch {
	case kind == nets.KindHead && c.String("embeddings") != "" && c.String("data") == "":
		return evalMode{[]string{"embeddings", "skip-unknown", "conformal"}, "without --data a head is judged on the embeddings of --embeddings, by their taps"}, nil
	case kind == nets.KindHead && c.String("data") == "":
		return evalMode{[]string{"embeddings", "conformal"}, "without --data a head is judged on embeddings, its own or those of --embeddings, by their taps"}, nil
	case kind == nets.KindBackbone && c.String("data") == "":
		return evalMode{append([]string{"model", "conformal"}, evalRuntime...), "without --data a tuned backbone is judged on the dataset it was trained on, read the same way"}, nil
	case r.OnBackbone():
		return evalMode{slices.Concat(evalImages, evalRuntime, []string{"model", "conformal"}), "with --data a " + kind + " is judged on images, by the run's own taps"}, nil
	case c.String("data") == "":
		return evalMode{[]string{"conformal"}, "without --data a " + kind + " is judged on the dataset it was trained on, read the same way"}, nil
	}
	return evalMode{append([]string{"conformal"}, evalImages...), "a " + kind + " is judged on images, with no backbone"}, nil
}

// refuseIdle refuses the flags that would have no effect.
func (m evalMode) refuseIdle(c *cli.Context) error {
	live := slices.Concat(m.flags, evalAlways)
	var err error
	if slices.Contains(m.flags, "data") {
		err, live = refuseDrawn(c, evalDrawn...), append(live, evalDrawn...)
	}
	return errors.Join(refuse(c, m.why, flagNames(c.Command.Flags, live...)...), err)
}
