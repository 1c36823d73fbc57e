package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// manCommand prints the manual.
func manCommand() *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "the manual page, with the help of every command",
		Description: "   graft man | man -l -\n" +
			"   graft man > ~/.local/share/man/man1/graft.1",
		Action: func(c *cli.Context) error {
			_, err := fmt.Fprint(c.App.Writer, manual(c.App))
			return err
		},
	}
}

// manual is a page for man: what help tells, each command in a section of its own and its lines as they are.
func manual(app *cli.App) string {
	escape := strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace
	var out strings.Builder
	fmt.Fprintf(&out, ".TH GRAFT 1 \"\" \"graft %s\"\n.SH NAME\ngraft \\- %s\n", app.Version, escape(app.Usage))
	var section func(c *cli.Command)
	section = func(c *cli.Command) {
		_, body, _ := strings.Cut(helpText(c), "\n\n")
		fmt.Fprintf(&out, ".SH %s\n%s\n.PP\n.EX\n%s.EE\n", strings.ToUpper(c.HelpName), escape(c.Usage), escape(body))
		for _, s := range c.Subcommands {
			s.HelpName = c.HelpName + " " + s.Name
			section(s)
		}
	}
	section(wholeApp(app))
	return out.String()
}
