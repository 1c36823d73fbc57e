package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	for args, want := range map[string]string{
		"help":              "\nTRAINING\n",
		"--help":            "\nTRAINING\n",
		"help eval":         "graft eval ",
		"help train head":   "graft train head ",
		"help model":        "graft model ",
		"train head --help": "graft train head ",
	} {
		if out, _, err := runData(t, strings.Fields(args)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}

// What is misspelt is wrong usage, and what was probably meant is named.
func TestSuggestions(t *testing.T) {
	for args, want := range map[string]string{
		"trian head":           `unknown command "trian"; did you mean train?; see 'graft --help'`,
		"model pul vit":        "did you mean pull?",
		"help evel":            "did you mean eval?",
		"help train haed":      "did you mean head?",
		"eval runs/x --spilt":  "did you mean --split?",
		"data info --dat x":    "did you mean --data?",
		"--versoin":            "did you mean --version?",
		"xyzzy":                `unknown command "xyzzy"; see`,
		"completion bassh":     "want bash, zsh, fish or powershell",
		"completion":           "SHELL",
		"completion ../bash":   "want bash",
		"version now":          "flags only",
		"help data xyzzy info": `unknown command "xyzzy"; see`,
	} {
		app := newApp()
		err := app.RunContext(context.Background(), flagsFirst(app.Commands, append([]string{"graft"}, strings.Fields(args)...)))
		if !errors.As(err, new(*usageError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error with %q", args, err, want)
		}
	}
	for _, args := range [][]string{{"model", "pull", "vit_b_17"}, {"rank", "--data", "synthetic", "vit_b_17"}} {
		if _, _, err := runData(t, args...); err == nil || !strings.Contains(err.Error(), "did you mean vit_b_16?") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestVersionCommand(t *testing.T) {
	releaseVersion = "v1.2.3"
	defer func() { releaseVersion = "" }()
	out, _, err := runData(t, "version")
	if err != nil || !strings.HasPrefix(out, "graft v1.2.3, go") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = runData(t, "version", "--json", "-")
	var v versions
	if err := errors.Join(err, json.Unmarshal([]byte(out), &v)); err != nil || v.Graft != "v1.2.3" || v.Go != runtime.Version() || v.ONNXRuntime == "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each shell that is here asks the program itself what may come next.
func TestCompletion(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "graft")); err != nil {
		t.Skip(err)
	}
	const (
		bash = `_x() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _graft; echo "${COMPREPLY[*]}"; }` + "\n"
		zsh  = `_x() { words=("$@"); CURRENT=$#words; _graft; }; compadd() { echo ${(P)2}; }; _files() { echo; }` + "\n"
		fish = `function _x; complete -C "$argv" | string replace -r '\t.*' '' | string join ' '; true; end` + "\n"
	)
	for shell, probe := range map[string]string{"bash": bash, "zsh": zsh, "fish": fish} {
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Log(err)
			continue
		}
		script, _, err := runData(t, "completion", shell)
		if err != nil {
			t.Fatal(err)
		}
		if shell == "zsh" {
			script = "compdef() {}\n" + script
		}
		script += probe + "_x graft train ''\n_x graft eval runs/x --conf\n"
		if shell == "fish" {
			script = strings.Replace(script, "_x graft train ''", "_x 'graft train v'", 1)
			script = strings.Replace(script, "_x graft eval runs/x --conf", "_x 'graft eval runs/x --conf'", 1)
		}
		cmd := exec.Command(path, "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asProgram+"=1", "HOME="+dir, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		want := "head cnn vit backbone\n--conformal --confusion\n"
		if shell == "fish" {
			want = "vit\n--conformal --confusion\n"
		}
		if err != nil || string(out) != want {
			t.Errorf("%s: %v, got %q, want %q", shell, err, out, want)
		}
	}
	if script, _, err := runData(t, "completion", "powershell"); err != nil || !strings.Contains(script, "-CommandName graft") {
		t.Errorf("powershell: %v\n%s", err, script)
	}
}
