package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
)

// eachCommand calls f for every command and group of commands with the words that name it.
func eachCommand(list []*cli.Command, above []string, f func(words []string, c *cli.Command)) {
	for _, c := range list {
		words := append(slices.Clone(above), c.Name)
		f(words, c)
		eachCommand(c.Subcommands, words, f)
	}
}

// Help of every command fits a terminal of 80 columns, names required flags first and each default once.
func TestHelpFits(t *testing.T) {
	root := &cli.Command{}
	pages := map[string]*cli.Command{"": root}
	eachCommand(newApp().Commands, nil, func(words []string, c *cli.Command) { pages[strings.Join(words, " ")] = c })
	entries := regexp.MustCompile(`(?m)^   -`)
	for words, c := range pages {
		text, _, err := runData(t, append(strings.Fields(words), "--help")...)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns.Width {
				t.Errorf("%s --help: %d columns, want %d at most:\n%s", words, n, columns.Width, line)
			}
		}
		for _, flag := range entries.Split(text, -1)[1:] {
			flag, _, _ = strings.Cut(flag, "\n\n") // from the heading that follows
			if strings.Count(flag, "(default") > 1 {
				t.Errorf("%s --help tells a default twice:\n%s", words, flag)
			}
		}
		usage, options, _ := strings.Cut(text, "\nFLAGS\n")
		for _, f := range c.Flags {
			if f.(cli.CategorizableFlag).GetCategory() == requiredHeading && strings.Count(usage, "--"+f.Names()[0]+" ") < 2 {
				t.Errorf("%s --help: --%s is required and does not stand first and in the usage", words, f.Names()[0])
			}
		}
		if len(c.Subcommands) == 0 && !strings.Contains(options, "--help") {
			t.Errorf("%s --help does not end in its flags", words)
		}
	}
	if len(pages) < 30 {
		t.Errorf("%d pages of help", len(pages))
	}
}

// graft help lists every command under the heading of what it is for.
func TestHelpHasHeadings(t *testing.T) {
	text, _, err := runData(t, "help")
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"FIRST STEPS", "DATA", "BACKBONES", "TRAINING", "JUDGING", "AWAY", "THE PROGRAM", "FLAGS"} {
		i := strings.Index(text, "\n"+want+"\n   ")
		if i <= at {
			t.Errorf("heading %s is missing or not in its place:\n%s", want, text)
		}
		at = i
	}
	_, text, _ = strings.Cut(text, "\nFIRST STEPS\n")
	for _, c := range newApp().Commands {
		if c.Category == "" || strings.Count("\n"+text, "\n   "+c.Name+" ") != 1 {
			t.Errorf("%s stands under no heading, or not once", c.Name)
		}
	}
}

func TestParagraphs(t *testing.T) {
	long := strings.Repeat("x", 40)
	text := "A line that\nis cut.\n\n   graft x   # as it is\n   graft " + long + " --out " + long + "\nThen more."
	want := "A line that is cut.\n\n   graft x   # as it is\n   graft " + long + " \\\n      --out " + long + "\nThen more.\n"
	if got := paragraphs(text); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
