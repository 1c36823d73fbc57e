package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestFlagsFirst(t *testing.T) {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "json"}, &cli.BoolFlag{Name: "force", Aliases: []string{"f"}}, &cli.IntFlag{Name: "top"},
	}
	list := []*cli.Command{
		{Name: "eval", Flags: flags},
		{Name: "train", Subcommands: []*cli.Command{{Name: "head", Flags: flags}}},
	}
	for _, c := range []struct{ in, want string }{
		{"graft", "graft"},
		{"graft --version", "graft --version"},
		{"graft nothing RUN --json -", "graft nothing RUN --json -"},
		{"graft eval RUN --json -", "graft eval --json - RUN"},
		{"graft eval RUN --force A B --top 3", "graft eval --force --top 3 RUN A B"},
		{"graft eval RUN --top=3 -f A", "graft eval --top=3 -f RUN A"},
		{"graft eval RUN -- --top", "graft eval -- RUN --top"},
		{"graft eval RUN --unknown A", "graft eval --unknown RUN A"},
		{"graft eval RUN --json", "graft eval --json"}, // RUN must not become the file's name
		{"graft eval - --force", "graft eval --force -"},
		{"graft train head A --top 1", "graft train head --top 1 A"},
		{"graft train other A --top 1", "graft train other A --top 1"},
		{"graft eval RUN --json - --generate-bash-completion", "graft eval RUN --json - --generate-bash-completion"},
	} {
		in := strings.Fields(c.in)
		if got := strings.Join(flagsFirst(list, in), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
		if !slices.Equal(in, strings.Fields(c.in)) {
			t.Errorf("%s: the arguments were changed", c.in)
		}
	}
}
