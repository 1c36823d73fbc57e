package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"graft/internal/atomicfile"
)

// usageError is a mistake in the command line: exit status 2.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

// usageErrorf reports wrong usage.
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// onUsageError turns cli's own complaints about flags into usage errors.
func onUsageError(c *cli.Context, err error, _ bool) error {
	return usageErrorf("%v; see '%s --help'", err, strings.TrimSpace(c.App.Name+" "+commandName(c)))
}

func commandName(c *cli.Context) string {
	if c.Command == nil {
		return ""
	}
	return c.Command.FullName()
}

// setUsageHandlers gives every command, at every depth, the same treatment of
// unknown flags, missing required flags and stray words.
func setUsageHandlers(list []*cli.Command) {
	for _, c := range list {
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		if len(c.Subcommands) > 0 {
			if c.Action == nil {
				c.Action = unknownCommand
			}
			setUsageHandlers(c.Subcommands)
		}
	}
}

// unknownCommand runs where a subcommand was wanted: it shows the help, or
// names the word that is no command.
func unknownCommand(c *cli.Context) error {
	if word := c.Args().First(); word != "" {
		return usageErrorf("unknown command %q; see '%s --help'", word, c.App.Name)
	}
	return cli.ShowSubcommandHelp(c)
}

// exactArgs checks the number of positional arguments and names them.
func exactArgs(c *cli.Context, names ...string) error {
	if c.NArg() != len(names) {
		return usageErrorf("%s wants %d argument(s) (%s), got %d", commandName(c), len(names), strings.Join(names, " "), c.NArg())
	}
	return nil
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// Flags that mean the same in every command that has them.
func dataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Required: true, Usage: "`DATASET`: fer2013.csv (also .gz, .tar.gz, .zip), an image folder or its .zip, or the word synthetic"}
}

func jsonFlag() cli.Flag {
	return &cli.StringFlag{Name: "json", Usage: "write machine-readable results to `FILE` (- for standard output, which then holds nothing else)"}
}

func seedFlag() cli.Flag {
	return &cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`SEED` of everything random"}
}

func skipBadFlag() cli.Flag {
	return &cli.BoolFlag{Name: "skip-bad", Usage: "count, list and leave out bad rows and images instead of stopping"}
}

func providerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "provider", Value: "auto", Usage: "execution `PROVIDER`: cpu, cuda, tensorrt, webgpu, coreml, directml, openvino, or auto"},
		&cli.IntFlag{Name: "device", Usage: "`NUMBER` of the accelerator"},
		&cli.BoolFlag{Name: "allow-fallback", Usage: "let a named provider leave part of the graph to the CPU"},
		&cli.IntFlag{Name: "threads", Usage: "CPU `THREADS` (0: all cores)"},
	}
}

// humanOut is where a command prints for people: nowhere when --json - claims
// standard output.
func humanOut(c *cli.Context) io.Writer {
	if c.String("json") == "-" {
		return io.Discard
	}
	return c.App.Writer
}

// writeJSON writes v where --json says; without the flag it does nothing.
func writeJSON(c *cli.Context, v any) error {
	path := c.String("json")
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
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

// logf writes one line for people to stderr.
func logf(c *cli.Context, format string, args ...any) {
	fmt.Fprintf(c.App.ErrWriter, format+"\n", args...)
}

// newProgress returns a progress function: a bar with rate and time left on a
// terminal, a line every tenth elsewhere.
func newProgress(c *cli.Context, label string) func(done, total int64) {
	if f, ok := c.App.ErrWriter.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return barProgress(f, label)
	}
	return lineProgress(c.App.ErrWriter, label)
}

func barProgress(w io.Writer, label string) func(done, total int64) {
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(label),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetPredictTime(true),
				progressbar.OptionThrottle(100_000_000), progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
		}
		_ = bar.Set64(done)
	}
}
