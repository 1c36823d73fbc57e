package main

import (
	"embed"
	"fmt"

	"github.com/urfave/cli/v2"
)

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
