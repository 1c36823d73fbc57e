package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"graft/onnx/ort/orttest"
)

// quietApp is graft that prints nothing.
func quietApp() *cli.App {
	app := newApp()
	app.Writer, app.ErrWriter = io.Discard, io.Discard
	return app
}

// What a team sets is added where a command takes it and nobody typed it.
func TestTeamFlags(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("AppData", os.Getenv("XDG_CONFIG_HOME"))
	t.Setenv("HOME", os.Getenv("XDG_CONFIG_HOME"))
	dir, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	list := newApp().Commands
	if team, err := teamFlags(list); err != nil || team != nil {
		t.Errorf("without any: %v, %v", team, err)
	}
	file := filepath.Join(dir, "graft", "flags")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("# of our team\n--provider=cpu --threads=2\n\n--threads=3  # not 2\n--skip-bad\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"extract --data x":                 "extract --provider=cpu --threads=3 --skip-bad --data x",
		"extract --data x --provider go":   "extract --threads=3 --skip-bad --data x --provider go",
		"extract -provider=go":             "extract --threads=3 --skip-bad -provider=go",
		"train cnn --data x":               "train cnn --threads=3 --skip-bad --data x",
		"version":                          "version",
		"train":                            "train",
		"train x":                          "train x",
		"eval --generate-bash-completion":  "eval --generate-bash-completion",
		"eval RUN -- --provider":           "eval --threads=3 --skip-bad RUN -- --provider",
		"embeddings verify E --json -":     "embeddings verify E --json -",
		"help train head":                  "help train head",
		"bench --threads 1 --provider=cpu": "bench --threads 1 --provider=cpu",
	} {
		team, err := teamFlags(list)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := withTeam(list, append([]string{"graft"}, strings.Fields(typed)...), team)
		if got := strings.Join(all[1:], " "); got != want {
			t.Errorf("%s: got %q, want %q", typed, got, want)
		}
	}
	for env, want := range map[string]string{
		"--provder=cpu":  "GRAFT_FLAGS: no command takes --provder; did you mean --provider?",
		"provider=cpu":   `GRAFT_FLAGS: "provider=cpu" is no flag`,
		"--provider cpu": `GRAFT_FLAGS: "cpu" is no flag: want --name=value`,
	} {
		t.Setenv(envFlags, env)
		if _, err := teamFlags(list); !errors.As(err, new(*usageError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", env, err, want)
		}
	}
}

// A flag that was typed by its short name is not added by its long one.
func TestTeamFlagTypedShort(t *testing.T) {
	args := []string{"graft", "extract", "-q", "--data", "x"}
	if all, added := withTeam(newApp().Commands, args, []teamFlag{{"--quiet", "quiet", envFlags}}); len(added) != 0 || !slices.Equal(all, args) {
		t.Errorf("got %q, added %v", all, added)
	}
}

// A value that is wrong says where it was set, since nobody typed it.
func TestTeamFlagIsNamed(t *testing.T) {
	team := []teamFlag{{"--provider=gpu", "provider", envFlags}}
	err := runWithTeam(context.Background(), quietApp(), []string{"graft", "rank", "--data", "synthetic", "x.onnx"}, team)
	if !errors.As(err, new(*usageError)) || !strings.Contains(err.Error(), "(GRAFT_FLAGS adds --provider=gpu)") {
		t.Errorf("error %v, want wrong usage that names GRAFT_FLAGS", err)
	}
}

// TestIdleTeamFlags sets each flag for a team where typed it would be refused: it is passed over, and what the
// command says is what it says without the flag.
func TestIdleTeamFlags(t *testing.T) {
	orttest.Require(t)
	stopped, stop := context.WithCancel(context.Background())
	stop() // no command has to do its work
	words := idleWords(t)
	for _, c := range idleFlags {
		for _, flag := range strings.Split(strings.NewReplacer("--mean 0", "", "--std 1", "").Replace(words.Replace(c.idle)), "--")[1:] {
			name, value, valued := strings.Cut(strings.TrimSpace(flag), " ")
			word := "--" + name
			if valued {
				word += "=" + value
			}
			args := slices.Concat([]string{"graft"}, strings.Fields(c.command), strings.Fields(words.Replace(c.given)))
			team := []teamFlag{{word, name, envFlags}}
			if slices.Contains(foreignNames, name) && name != "mean" && name != "std" && name != "normalize" { // which describe a model together
				team = append(team, teamFlag{"--mean=0", "mean", envFlags}, teamFlag{"--std=1", "std", envFlags})
			}
			err := runWithTeam(stopped, quietApp(), args, team)
			if errors.As(err, new(*usageError)) && strings.Contains(err.Error(), envFlags) {
				t.Errorf("%s %s, with %s for the team: %v", c.command, c.given, word, err)
			}
		}
	}
}

func TestQuiet(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ flag, want string }{{"", "wrote 63 images"}, {"-q", ""}, {"--quiet", ""}} {
		out, log, err := runData(t, strings.Fields("data synth --per-class 1 --out "+filepath.Join(dir, "x"+c.flag)+" "+c.flag)...)
		if err != nil || out != "" || !strings.Contains(log, c.want) || c.want == "" && log != "" {
			t.Errorf("%q: %v, %q, %q", c.flag, err, out, log)
		}
	}
	cut := photos(t, 3, 1)
	if _, log, err := runData(t, "data", "info", "--data", cut, "--skip-bad", "-q"); err != nil || !strings.HasPrefix(log, "warning: ") {
		t.Errorf("%v: --quiet keeps back what was left out: %q", err, log)
	}
}
