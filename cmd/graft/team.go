package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/idle"
	"graft/internal/suggest"
)

// envFlags names flags for every command that takes them, as GOFLAGS does for go's commands.
const envFlags = "GRAFT_FLAGS"

// teamFlag is a flag that was set once, for all commands that take it.
type teamFlag struct{ word, name, from string } // "--provider=go", "provider", where it stands

// teamFlags are the flags of GRAFT_FLAGS, else those of the file flags in graft's folder of the user's settings; of one
// name the last.
func teamFlags(list []*cli.Command) ([]teamFlag, error) {
	text, from := os.Getenv(envFlags), envFlags
	if dir, err := os.UserConfigDir(); text == "" && err == nil {
		from = filepath.Join(dir, "graft", "flags")
		data, err := os.ReadFile(from)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		text = string(data)
	}
	known := map[string]bool{}
	var names []string
	walkCommands(list, func(c *cli.Command) {
		for _, f := range c.Flags {
			known[f.Names()[0]] = true
		}
	})
	for name := range known {
		names = append(names, "--"+name)
	}
	var flags []teamFlag
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			name := flagOf(word)
			switch {
			case !strings.HasPrefix(word, "--"):
				return nil, usageErrorf("%s: %q is no flag: want --name=value, or --name of what is yes or no", from, word)
			case !known[name]:
				return nil, usageErrorf("%s: no command takes --%s%s", from, name, suggest.DidYouMean("--"+name, names))
			}
			flags = slices.DeleteFunc(flags, func(f teamFlag) bool { return f.name == name })
			flags = append(flags, teamFlag{word, name, from})
		}
	}
	return flags, nil
}

// walkCommands calls f for every command that does something.
func walkCommands(list []*cli.Command, f func(*cli.Command)) {
	for _, c := range list {
		if walkCommands(c.Subcommands, f); len(c.Subcommands) == 0 {
			f(c)
		}
	}
}

// withTeam adds those of the flags to the arguments that the command takes and that were not typed, and tells which.
func withTeam(list []*cli.Command, args []string, team []teamFlag) (all []string, added []teamFlag) {
	c, at := leafOf(list, args)
	if c == nil || slices.Contains(args, completing) {
		return args, nil
	}
	all = slices.Clone(args[:at])
	for _, f := range team {
		i := slices.IndexFunc(c.Flags, func(g cli.Flag) bool { return g.Names()[0] == f.name })
		if i >= 0 && !slices.ContainsFunc(args[at:], func(word string) bool {
			return strings.HasPrefix(word, "-") && slices.Contains(c.Flags[i].Names(), flagOf(word))
		}) {
			all, added = append(all, f.word), append(added, f)
		}
	}
	return append(all, args[at:]...), added
}

// flagOf is the name in a word such as --name=value.
func flagOf(word string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	return name
}

// runWithTeam runs a command with the flags that were set once; those that would have no effect in it are passed over.
func runWithTeam(ctx context.Context, app *cli.App, args []string, team []teamFlag) error {
	all, added := withTeam(app.Commands, args, team)
	app.Metadata = map[string]any{typed: all}
	err := app.RunContext(ctx, flagsFirst(app.Commands, all))
	var refused *idle.Error
	if errors.As(err, &refused) {
		less := slices.DeleteFunc(slices.Clone(added), func(f teamFlag) bool { return slices.Contains(refused.Options, f.name) })
		if len(less) < len(added) {
			again := newApp()
			again.Writer, again.ErrWriter = app.Writer, app.ErrWriter
			return runWithTeam(ctx, again, args, less)
		}
	}
	if len(added) > 0 && errors.As(err, new(*usageError)) {
		var words []string
		for _, f := range added {
			words = append(words, f.word)
		}
		return fmt.Errorf("%w (%s adds %s)", err, added[0].from, strings.Join(words, " "))
	}
	return err
}
