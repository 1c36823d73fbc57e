// Command graft extracts features of images with a frozen, pretrained vision
// transformer, trains small classifiers on them and judges the result.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"graft/pretrained/taps"
)

// Exit statuses, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells report it
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once, also inside native code.
	context.AfterFunc(ctx, stop)
	code := runArgs(ctx, os.Args)
	stop()
	os.Exit(code)
}

// runArgs is main without the process: it returns the exit status.
func runArgs(ctx context.Context, args []string) int {
	app := newApp()
	team, err := teamFlags(app.Commands)
	if err == nil {
		err = runWithTeam(ctx, app, args, team)
	}
	err = cmp.Or(err, failed(app.Writer))
	return exitStatus(err, app.ErrWriter)
}

// exitStatus says on out how a command that ended with err ended, if not well.
func exitStatus(err error, out io.Writer) int {
	if err == nil {
		return exitDone
	}
	interrupted := errors.Is(err, context.Canceled)
	if !interrupted || !onlyCanceled(err) {
		fmt.Fprintln(out, "graft:", err)
	}
	switch {
	case interrupted:
		fmt.Fprintln(out, "graft: "+interruption(err))
		return exitInterrupted
	case errors.As(err, new(*usageError)), errors.Is(err, taps.ErrUnknown):
		return exitUsage
	}
	return exitFailed
}

// onlyCanceled tells an error that says no more than that Ctrl-C came: none of
// those joined in it is another one.
func onlyCanceled(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyCanceled(e) })
	}
	if inner := errors.Unwrap(err); inner != nil {
		return onlyCanceled(inner)
	}
	return err == context.Canceled
}

// resumable is the error of a command that, started again, goes on where it was
// interrupted.
type resumable struct{ error }

func (r resumable) Unwrap() error { return r.error }

// resumes is the action of such a command.
func resumes(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := action(c)
		if err == nil || c.Context.Err() == nil {
			return err
		}
		return resumable{err}
	}
}

// interruption says what to do after Ctrl-C ended a command with err.
func interruption(err error) string {
	if errors.As(err, new(resumable)) {
		return "interrupted; start the same command again to go on"
	}
	return "interrupted"
}

func newApp() *cli.App {
	return &cli.App{
		Name:                 "graft",
		Usage:                "transfer learning on images with frozen vision transformers, in Go",
		Description:          "Flags are set once for every command that takes them:\n\n   export " + envFlags + "=\"--provider=cpu --threads=4\"",
		Version:              version(),
		Writer:               &plainWriter{to: os.Stdout},
		ErrWriter:            &plainWriter{to: os.Stderr},
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		OnUsageError:         onUsageError,
		Flags:                []cli.Flag{cli.HelpFlag}, // which cli leaves out where a command has its name
		Action:               unknownCommand,
		ExitErrHandler:       func(*cli.Context, error) {}, // run decides
		Commands:             commands(),
	}
}

// commands are all of them, in the order and under the headings of the help.
func commands() []*cli.Command {
	list := slices.Concat(
		together("FIRST STEPS", setupCommand(), doctorCommand(), demoCommand()),
		together("DATA", dataCommand()),
		together("BACKBONES", modelCommand(), rankCommand(), extractCommand(), embeddingsCommand()),
		together("TRAINING", trainCommand(), importCommand()),
		together("JUDGING", evalCommand(), compareCommand(), reportCommand(), showCommand()),
		together("AWAY", predictCommand(), serveCommand(), exportCommand()),
		together("THE PROGRAM", benchCommand(), versionCommand(), completionCommand(), manCommand(), helpCommand()),
	)
	setUsageHandlers(list)
	return list
}
