package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/suggest"
)

// helpCommand is --help as a command.
func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "what graft can do, or how a command is used",
		ArgsUsage: "[COMMAND...]",
		Description: "   graft help\n" +
			"   graft help train head",
		Action: func(c *cli.Context) error {
			words := slices.Concat([]string{c.App.Name}, c.Args().Slice(), []string{"--help"})
			return c.App.RunContext(c.Context, flagsFirst(c.App.Commands, words))
		},
	}
}

// unknownCommand runs where a subcommand was wanted: it shows the help, or
// names the word that is no command.
func unknownCommand(c *cli.Context) error {
	word := c.Args().First()
	if word == "" {
		return cli.ShowSubcommandHelp(c)
	}
	var known []string
	for _, sub := range c.Command.VisibleCommands() {
		known = append(known, sub.Names()...)
	}
	return usageErrorf("unknown command %q%s; see '%s --help'", word, suggest.DidYouMean(word, known), commandName(c))
}

// onUsageError turns cli's own complaints about flags into usage errors.
func onUsageError(c *cli.Context, err error, _ bool) error {
	near := ""
	if word, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var known []string
		for _, f := range c.Command.VisibleFlags() {
			for _, name := range f.Names() {
				known = append(known, "--"+name)
			}
		}
		near = suggest.DidYouMean("--"+word, known)
	}
	return usageErrorf("%v%s; see '%s --help'", err, near, commandName(c))
}

//go:embed completion
var completionScripts embed.FS

// completionCommand prints what makes a shell complete commands and flags.
func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "a script for bash, zsh, fish or powershell that completes commands and flags",
		ArgsUsage: "SHELL",
		Description: "Commands and flags are completed with Tab once the shell has read the script:\n\n" +
			"   source <(graft completion bash)          # in ~/.bashrc\n" +
			"   source <(graft completion zsh)           # in ~/.zshrc, after compinit\n" +
			"   graft completion fish > ~/.config/fish/completions/graft.fish\n" +
			"   graft completion powershell | Out-String | Invoke-Expression    # in $PROFILE",
		Action: func(c *cli.Context) error {
			script, err := completionScript(c.App, c.Args().First())
			if err == nil {
				_, err = fmt.Fprint(c.App.Writer, script)
			}
			return err
		},
	}
}

func completionScript(app *cli.App, shell string) (string, error) {
	if shell == "fish" {
		return app.ToFishCompletion()
	}
	script, err := completionScripts.ReadFile("completion/" + shell)
	if err != nil {
		return "", usageErrorf("completion for %q: want bash, zsh, fish or powershell", shell)
	}
	return string(script), nil
}
