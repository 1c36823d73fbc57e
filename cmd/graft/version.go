package main

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/run"
	"graft/onnx/ort"
)

// releaseVersion is for builds without the repository:
// go build -ldflags "-X main.releaseVersion=v1.2.3".
var releaseVersion string

// versionCommand tells what program this is.
func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "the version of graft, of Go, and of the ONNX Runtime that graft setup installs",
		Description: "What graft was built from is also in every file that it writes:\n\n" +
			"   graft version\n" +
			"   graft version --json -",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			v := versions{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, ort.PinnedVersion}
			fmt.Fprintf(humanOut(c), "graft %s, %s on %s, ONNX Runtime %s\n", v.Graft, v.Go, v.Platform, v.ONNXRuntime)
			return writeJSON(c, "graft-version-1", v)
		},
	}
}

type versions struct {
	Graft       string `json:"version"`
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	ONNXRuntime string `json:"onnxruntime"` // pinned
}

// version is what the build was told, else the module's version, else the commit
// that it was built from, else "devel".
func version() string {
	if releaseVersion != "" {
		return releaseVersion
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return versionOf(info)
	}
	return develVersion
}

// typed is the key of an app's metadata under which its arguments stand.
const typed = "typed"

// madeBy is what a run's files record of what made them.
func madeBy(c *cli.Context) run.Program {
	args, _ := c.App.Metadata[typed].([]string)
	words := []string{}
	for i, word := range args {
		if i == 0 {
			word = c.App.Name // wherever it lies
		}
		words = append(words, shellWord(word))
	}
	return run.Program{Version: version(), Command: strings.Join(words, " ")}
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// shellWord is a word as a shell wants it to be typed.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

const (
	develVersion = "devel"
	// shortCommit is the number of hex digits that name a commit.
	shortCommit = 12
)

func versionOf(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	if commit == "" {
		return develVersion
	}
	commit = commit[:min(len(commit), shortCommit)]
	if settings["vcs.modified"] == "true" {
		commit += "-dirty"
	}
	return commit
}
