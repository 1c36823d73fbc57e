package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
)

// flagWidth is the most columns that flags take before what they mean begins a line of its own.
const flagWidth = 24

// Headings of flags in the help; those that a command has for itself stand under flagsHeading.
const (
	requiredHeading = "REQUIRED"
	flagsHeading    = "FLAGS"
	dataHeading     = "WHICH IMAGES"
	machineHeading  = "WHERE IT RUNS"
	foreignHeading  = "A MODEL THAT GRAFT DID NOT EXPORT"
	pictureHeading  = "FORM OF THE PICTURES"
	repeatHeading   = "SEVERAL RUNS"
	balanceHeading  = "CLASSES OF UNEQUAL SIZE"
	descentHeading  = "GRADIENT DESCENT (default: " + recipes + ")"
	networkHeading  = "THE NETWORK (default: " + recipes + ")"
)

// commandsHeading is of commands without a heading of their own.
const commandsHeading = "COMMANDS"

// together puts commands under a heading.
func together(heading string, list ...*cli.Command) []*cli.Command {
	for _, c := range list {
		c.Category = heading
	}
	return list
}

// grouped puts flags under a heading.
func grouped(heading string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		reflect.ValueOf(f).Elem().FieldByName("Category").SetString(heading)
	}
	return flags
}

func init() { cli.HelpPrinter = printHelp }

// printHelp writes the help of an app or a command: what must be said first, flags under headings, all
// within columns.Width.
func printHelp(w io.Writer, _ string, of any) {
	switch of := of.(type) {
	case *cli.App:
		fmt.Fprint(w, helpText(wholeApp(of)))
	case *cli.Command:
		fmt.Fprint(w, helpText(of))
	}
}

// wholeApp is the program as the command above all others.
func wholeApp(app *cli.App) *cli.Command {
	return &cli.Command{HelpName: app.Name, Usage: app.Usage, Description: app.Description, Subcommands: app.Commands, Flags: app.Flags}
}

func helpText(c *cli.Command) string {
	var out strings.Builder
	out.WriteString(columns.Fill(c.HelpName+": "+c.Usage, 0, 3) + "\n")
	headings, flags := headedFlags(c)
	fmt.Fprintf(&out, "\nUSAGE\n   %s\n", columns.Fill(usageLine(c, flags[requiredHeading]), 3, 6))
	if c.Description != "" {
		fmt.Fprintf(&out, "\n%s", paragraphs(c.Description))
	}
	heading := ""
	for _, s := range c.VisibleCommands() {
		if h := cmp.Or(s.Category, commandsHeading); h != heading {
			heading = h
			fmt.Fprintf(&out, "\n%s\n", h)
		}
		out.WriteString(entry(strings.Join(s.Names(), ", "), s.Usage))
	}
	for _, h := range headings {
		fmt.Fprintf(&out, "\n%s\n", h)
		for _, f := range flags[h] {
			out.WriteString(entry(flagWords(f), flagMeaning(f, h)))
		}
	}
	return out.String()
}

// headedFlags are a command's flags by heading, and the headings in their order.
func headedFlags(c *cli.Command) ([]string, map[string][]cli.DocGenerationFlag) {
	headings, flags := []string{requiredHeading, flagsHeading}, map[string][]cli.DocGenerationFlag{}
	for _, f := range c.VisibleFlags() {
		heading := f.(cli.CategorizableFlag).GetCategory()
		if heading == "" {
			heading = flagsHeading
		}
		if !slices.Contains(headings, heading) {
			headings = append(headings, heading)
		}
		flags[heading] = append(flags[heading], f.(cli.DocGenerationFlag))
	}
	return slices.DeleteFunc(headings, func(h string) bool { return flags[h] == nil }), flags
}

func usageLine(c *cli.Command, required []cli.DocGenerationFlag) string {
	words := []string{c.HelpName}
	if len(c.Subcommands) > 0 {
		return c.HelpName + " COMMAND …"
	}
	if c.ArgsUsage != "" {
		words = append(words, c.ArgsUsage)
	}
	for _, f := range required {
		words = append(words, flagWords(f))
	}
	return strings.Join(append(words, "[FLAGS]"), " ")
}

// flagWords are a flag's names, and the word for its value.
func flagWords(f cli.DocGenerationFlag) string {
	var words []string
	for _, name := range f.Names() {
		words = append(words, "--"[:min(2, len(name))]+name)
	}
	all := strings.Join(words, ", ")
	if cut := strings.Split(f.GetUsage(), "`"); f.TakesValue() && len(cut) > 1 {
		all += " " + cut[1]
	}
	return all
}

// flagMeaning tells what a flag does, and its default where that is not nothing and neither usage nor
// heading tells it.
func flagMeaning(f cli.DocGenerationFlag, heading string) string {
	usage := f.GetUsage()
	if cut := strings.SplitN(usage, "`", 3); len(cut) == 3 && cut[0] == "" {
		usage = strings.TrimPrefix(usage, "`"+cut[1]+"`: ") // which stands beside the flag
	}
	usage = strings.ReplaceAll(usage, "`", "")
	text := strings.Trim(f.GetDefaultText(), `"`)
	suffix := "(default: " + text + ")"
	switch {
	case text == "0":
		return strings.Replace(usage, "(0: ", "(default 0: ", 1)
	case text == "" || text == "false" || strings.Contains(usage, "(default") || strings.HasSuffix(heading, suffix):
		return usage
	}
	return usage + " " + suffix
}

// entry is a word and what it means, side by side.
func entry(word, meaning string) string {
	const indent = 3 + flagWidth + 2
	gap := "\n" + strings.Repeat(" ", indent)
	if n := utf8.RuneCountInString(word); n <= flagWidth {
		gap = strings.Repeat(" ", flagWidth+2-n)
	}
	return "   " + word + gap + columns.Fill(meaning, indent, indent) + "\n"
}

// paragraphs fills the lines of each; one that begins with a blank, an example mostly, stays as it is where
// it is not too long.
func paragraphs(text string) string {
	var out, open strings.Builder
	flush := func() {
		if open.Len() > 0 {
			out.WriteString(columns.Fill(open.String(), 0, 0) + "\n")
			open.Reset()
		}
	}
	for line := range strings.Lines(strings.TrimSuffix(text, "\n") + "\n") {
		if strings.TrimSpace(line) != "" && line[0] != ' ' {
			open.WriteString(line)
			continue
		}
		flush()
		if utf8.RuneCountInString(line) > columns.Width+len("\n") {
			line = example(line)
		}
		out.WriteString(line)
	}
	flush()
	return out.String()
}

var flagAndValue = regexp.MustCompile(`(--[\w-]+) ([^-])`)

// example breaks a command line as a shell lets it be broken, flags beside their values.
func example(line string) string {
	const glue = "\x00"
	line = columns.Break(flagAndValue.ReplaceAllString(line, "$1"+glue+"$2"), 3, 6, columns.Width-len(" \\"), " \\\n")
	return "   " + strings.ReplaceAll(line, glue, " ") + "\n"
}
