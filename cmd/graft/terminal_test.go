package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"graft/internal/columns"
	"graft/onnx/ort/orttest"
)

var update = flag.Bool("update", false, "write docs/terminal.md anew")

var (
	captures = regexp.MustCompile("(?ms)^```console\n\\$ graft ([^\n]*)\n.*?^```")
	isRate   = regexp.MustCompile(`(?m)^[^\n]*: \d+%[^\n]* in [\d.ms]+\n`)
	numbers  = regexp.MustCompile(`[-+]?\d+(\.\d+)?(e[-+]\d+)?`)
)

// TestTerminalPage: the page shows what the commands print but for numbers, in lines of 80 columns.
func TestTerminalPage(t *testing.T) {
	if testing.Short() && !*update {
		t.Skip("a minute of the whole job")
	}
	orttest.Require(t)
	path, err := filepath.Abs("../../docs/terminal.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	made := captures.ReplaceAllStringFunc(string(page), func(capture string) string {
		command := captures.FindStringSubmatch(capture)[1]
		var out bytes.Buffer
		app := newApp()
		app.Writer, app.ErrWriter = &out, &out
		if err := app.RunContext(context.Background(), flagsFirst(app.Commands, strings.Fields("graft "+command))); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out.String())
		}
		return "```console\n$ graft " + command + "\n" + isRate.ReplaceAllString(out.String(), "") + "```"
	})
	if *update {
		if err := os.WriteFile(path, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	same := func(text string) string {
		return numbers.ReplaceAllString(strings.Join(strings.Fields(text), " "), "0")
	}
	if same(made) != same(string(page)) {
		t.Errorf("docs/terminal.md differs from what the commands print; -args -update makes it anew:\n%s", made)
	}
	for _, capture := range captures.FindAllString(made, -1) {
		for line := range strings.Lines(capture) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > columns.Width && line[0] != '$' {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
}
