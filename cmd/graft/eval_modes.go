package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
)

// evalMode is a way of judging.
type evalMode struct {
	flags []string // that have an effect
	why   string   // others have none
}

// evalAlways are the flags that every way of judging heeds.
var evalAlways = []string{"split", "threads", "confusion", "predictions", "json"}

// Flags that go together.
var (
	evalRuntime = []string{"batch", "provider", "device", "allow-fallback"}
	evalImages  = []string{"data", "skip-bad"}
	evalDrawn   = []string{"seed", "per-class"} // of the synthetic dataset
)

// evalModeOf finds the way of judging that the arguments ask for.
func evalModeOf(c *cli.Context) (evalMode, error) {
	if c.IsSet("knn") {
		if c.NArg() > 0 {
			return evalMode{}, usageErrorf("eval --knn judges the store of --embeddings and takes no RUN, got %q", c.Args().Slice())
		}
		return evalMode{[]string{"knn", "embeddings", "vote", "taps", "use-flip", "center"}, "neighbours are those of a store, that of --embeddings"}, nil
	}
	if err := exactArgs(c, "RUN"); err != nil {
		return evalMode{}, err
	}
	images := evalImages
	if dataRef(c).Drawn() {
		images = slices.Concat(evalImages, evalDrawn)
	}
	if info, err := os.Stat(c.Args().First()); err == nil && !info.IsDir() {
		if c.String("data") == "" {
			return evalMode{}, usageErrorf("eval: an exported file does not say which dataset it was trained on; name one with --data")
		}
		return evalMode{slices.Concat(images, evalRuntime), "an exported file is judged on the images of --data, with the backbone in it"}, nil
	}
	r, err := run.ReadConfig(c.Args().First())
	if err != nil {
		return evalMode{}, err
	}
	kind := r.Kind
	switch {
	case kind == nets.KindHead && c.String("data") == "":
		return evalMode{[]string{"embeddings"}, "without --data a head is judged on embeddings, its own or those of --embeddings, by their taps"}, nil
	case kind == nets.KindHead:
		return evalMode{slices.Concat(images, evalRuntime, []string{"model"}), "with --data a head is judged on images, by the run's own taps"}, nil
	case c.String("data") == "":
		return evalMode{nil, "without --data a " + kind + " is judged on the dataset it was trained on, read the same way"}, nil
	}
	return evalMode{images, "a " + kind + " is judged on images, with no backbone"}, nil
}

// refuseIdle names the flags that would have no effect, and why.
func (m evalMode) refuseIdle(c *cli.Context) error {
	var idle, why []string
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if c.IsSet(name) && !slices.Contains(m.flags, name) && !slices.Contains(evalAlways, name) {
			idle = append(idle, "--"+name)
			reason := m.why
			if slices.Contains(m.flags, "data") && slices.Contains(evalDrawn, name) {
				reason = "only the " + dataset.SyntheticPath + " dataset is drawn"
			}
			if !slices.Contains(why, reason) {
				why = append(why, reason)
			}
		}
	}
	if idle == nil {
		return nil
	}
	return usageErrorf("eval: %s would have no effect: %s", strings.Join(idle, ", "), strings.Join(why, ", and "))
}
