package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/internal/schema"
	"graft/onnx/session"
)

// usageError is a mistake in the command line: exit status 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// usageErrorf reports wrong usage.
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// commandName is what the user typed: "graft data info".
func commandName(c *cli.Context) string { return c.Command.HelpName }

// setUsageHandlers gives every command, at every depth, the same treatment of
// unknown flags, missing required flags and stray words.
func setUsageHandlers(list []*cli.Command) {
	for _, c := range list {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		if len(c.Subcommands) == 0 {
			c.Flags = append(c.Flags, quietFlag())
			checkFirst(c)
			c.Action = bounded(c.Action)
			continue
		}
		c.Action = unknownCommand
		setUsageHandlers(c.Subcommands)
	}
}

// checkFirst makes a missing flag, and an empty one, which is mostly a variable of
// the shell that was not set, a usage error like any other; so are arguments too
// many or few. cli's own check would print the help on standard output, which
// --json - claims. What --json names must be possible to write before hours of work.
func checkFirst(c *cli.Command) {
	var required, others []string
	for _, f := range c.Flags {
		s, ok := f.(*cli.StringFlag)
		switch {
		case ok && s.Required:
			s.Required = false
			grouped(requiredHeading, f)
			required = append(required, s.Name)
		case ok:
			others = append(others, s.Name)
		}
	}
	c.Before = func(c *cli.Context) error {
		for _, name := range required {
			if c.String(name) == "" {
				return usageErrorf("--%s is missing or empty; see '%s --help'", name, commandName(c))
			}
		}
		for _, name := range others {
			if c.IsSet(name) && strings.TrimSpace(c.String(name)) == "" {
				return usageErrorf("--%s is empty; leave it out, or see '%s --help'", name, commandName(c))
			}
		}
		if n := c.Int("threads"); n > maxThreads {
			return usageErrorf("--threads %d, want %d at most; this machine has %d cores", n, maxThreads, runtime.NumCPU())
		}
		return cmp.Or(checkArgs(c), checkJSON(c.String("json"), c.String("out")))
	}
}

// maxThreads is more than any machine has cores for, and few enough to be started.
const maxThreads = 1024

// checkJSON wants the folder of a file for results to be there, unless it lies in
// what the command itself is going to make.
func checkJSON(path, out string) error {
	if path == "" || path == "-" {
		return nil
	}
	dir := filepath.Dir(path)
	if within, err := filepath.Rel(filepath.Clean(out), dir); out != "" && err == nil && filepath.IsLocal(within) {
		return nil
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return nil
}

// checkArgs wants as many arguments as the command's help names: RUN IMAGE... are
// two or more, and what stands in brackets is the command's own affair.
func checkArgs(c *cli.Context) error {
	usage := c.Command.ArgsUsage
	want, more := len(strings.Fields(usage)), strings.HasSuffix(usage, "...")
	if strings.HasPrefix(usage, "[") || c.NArg() == want || more && c.NArg() > want {
		return nil
	}
	name := strings.TrimPrefix(commandName(c), c.App.Name+" ")
	if want == 0 {
		return usageErrorf("%s takes flags only, got %q", name, c.Args().Slice())
	}
	return usageErrorf("%s wants %s, got %s; see '%s --help'", name, usage, plural.Of(c.NArg(), "argument"), commandName(c))
}

// atLeast is a flag for a whole number, the smallest and above.
func atLeast(smallest int, f *cli.IntFlag) cli.Flag { return between(smallest, math.MaxInt, f) }

// between is a flag for a whole number, both ends included.
func between(smallest, largest int, f *cli.IntFlag) cli.Flag {
	f.Action = func(_ *cli.Context, n int) error {
		switch {
		case n < smallest:
			return usageErrorf("--%s %d, want %d or more", f.Name, n, smallest)
		case n > largest:
			return usageErrorf("--%s %d, want %d at most", f.Name, n, largest)
		}
		return nil
	}
	return f
}

// Flags that mean the same in every command that has them.
func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Required: true, Category: dataHeading, Usage: "`DATASET`: fer2013.csv (also .gz, .tar.gz, .zip), an image folder or its .zip, list:FILE with path[,label[,split]] a line, or the word synthetic or synthetic:things"}
}

func jsonFlag() cli.Flag {
	return &cli.StringFlag{Name: "json", Usage: "write machine-readable results to `FILE` (- for standard output, which then holds nothing else)"}
}

func seedFlag() cli.Flag {
	return &cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED` of everything random"}
}

func skipBadFlag() cli.Flag {
	return &cli.BoolFlag{Name: "skip-bad", Category: dataHeading, Usage: "count, list and leave out bad rows and images instead of stopping"}
}

func providerFlags() []cli.Flag {
	return grouped(machineHeading,
		&cli.StringFlag{Name: "provider", Value: "auto", Usage: "execution `PROVIDER`: " + strings.ReplaceAll(strings.Trim(fmt.Sprint(session.Providers()), "[]"), " ", ", ") + ", or auto"},
		atLeast(0, &cli.IntFlag{Name: "device", Usage: "`NUMBER` of the accelerator"}),
		&cli.BoolFlag{Name: "allow-fallback", Usage: "let a named provider leave part of the graph to the CPU"},
		atLeast(0, &cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores)"}))
}

// humanOut is where a command prints for people: nowhere when --json - claims
// standard output.
func humanOut(c *cli.Context) io.Writer {
	if c.String("json") == "-" {
		return io.Discard
	}
	return c.App.Writer
}

// writeJSON writes v, of a schema such as graft-rank-1, where --json says; without
// the flag it does nothing.
func writeJSON(c *cli.Context, name string, v any) error {
	path := c.String("json")
	if path == "" {
		return nil
	}
	data, err := schema.Marshal(name, v, "  ")
	if err != nil {
		return err
	}
	if path == "-" {
		_, err = c.App.Writer.Write(data)
		return err
	}
	return atomicfile.WriteFile(path, data)
}

// splitWords cuts a comma-separated flag value.
func splitWords(s string) []string {
	var out []string
	for _, w := range strings.Split(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// logf writes one line for people to stderr, nothing with --quiet.
func logf(c *cli.Context, format string, args ...any) {
	if !c.Bool(quiet) {
		fmt.Fprintf(c.App.ErrWriter, format+"\n", args...)
	}
}

// next says with which commands to go on.
func next(c *cli.Context, commands ...string) {
	logf(c, "next: %s", strings.Join(commands, "\n      "))
}

// warnf writes one line that --quiet does not keep back.
func warnf(c *cli.Context, format string, args ...any) {
	fmt.Fprintf(c.App.ErrWriter, "warning: "+format+"\n", args...)
}

const quiet = "quiet"

// quietFlag is a flag of every command.
func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: quiet, Aliases: []string{"q"}, Usage: "tell no progress and nothing else on standard error but warnings and errors"}
}
