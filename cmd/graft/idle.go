package main

import (
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/run"
	"graft/internal/idle"
	"graft/preprocess/dataset"
	"graft/pretrained"
)

// refuse names those of the flags that were given, and why they would have no
// effect: what is accepted has one.
func refuse(c *cli.Context, why string, flags ...string) error {
	var given []string
	for _, name := range flags {
		if c.IsSet(name) {
			given = append(given, name)
		}
	}
	if given == nil {
		return nil
	}
	command := strings.TrimPrefix(commandName(c), c.App.Name+" ")
	return &usageError{idle.Errorf(strings.Join(given, " "), "%s: --%s would have no effect: %s", command, strings.Join(given, ", --"), why)}
}

// flagNames are the words of flags, without some.
func flagNames(flags []cli.Flag, but ...string) []string {
	var out []string
	for _, f := range flags {
		if name := f.Names()[0]; name != quiet && !slices.Contains(but, name) {
			out = append(out, name)
		}
	}
	return out
}

// Flags that go together.
var (
	runtimeNames = []string{"provider", "device", "allow-fallback"}
	foreignNames = []string{"input-size", "mean", "std", "normalize", "crop-pct", "output", "pool"}
)

// refuseDrawn refuses the settings of drawn images for other datasets.
func refuseDrawn(c *cli.Context, flags ...string) error {
	if dataRef(c).Drawn() {
		return nil
	}
	return refuse(c, "only the "+dataset.SyntheticPath+" dataset is drawn", flags...)
}

// refuseBackbone refuses settings for a backbone where the model at path has none
// to be set: what is no run folder is a file with all in it.
func refuseBackbone(c *cli.Context, path string) error {
	if !isFolder(path) {
		return refuse(c, "the file holds its own backbone", append(foreignNames, "model")...)
	}
	r, err := run.ReadConfig(path)
	if err != nil || r.OnBackbone() {
		return err
	}
	idle := append(foreignNames, "model")
	if !c.Bool("faces") { // the detector of faces runs where the flags say
		idle = append(idle, runtimeNames...)
	}
	return refuse(c, "a "+r.Kind+" has no backbone, and runs on the CPU", idle...)
}

// bounded is a command's action on as many cores as --threads says, decoding and
// all. Where a model that describes itself was described, the error names the flags.
func bounded(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if n := c.Int("threads"); n > 0 {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
		}
		err := action(c)
		if errors.Is(err, pretrained.ErrDescribed) {
			return refuse(c, err.Error(), foreignNames...)
		}
		return err
	}
}
