package main

import (
	"runtime/debug"
	"testing"

	"github.com/urfave/cli/v2"
)

// cli's own check of required flags prints the help on standard output and has
// no exit status of its own, so every such flag must be one that checkFirst
// takes over.
func TestRequiredFlagsAreOurs(t *testing.T) {
	var walk func(list []*cli.Command)
	walk = func(list []*cli.Command) {
		for _, c := range list {
			for _, f := range c.Flags {
				if r, ok := f.(cli.RequiredFlag); ok && r.IsRequired() {
					t.Errorf("%s: checkFirst does not know the type of --%s", c.Name, f.Names()[0])
				}
			}
			walk(c.Subcommands)
		}
	}
	walk(commands())
}

func TestVersion(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct{ module, commit, modified, want string }{
		{"v1.2.3", commit, "true", "v1.2.3"},
		{"(devel)", commit, "false", "0123456789ab"},
		{"(devel)", commit, "true", "0123456789ab-dirty"},
		{"(devel)", "12ab", "false", "12ab"},
		{"(devel)", "", "", "devel"},
		{"", "", "", "devel"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.module}}
		if c.commit != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: c.commit}, {Key: "vcs.modified", Value: c.modified}}
		}
		if got := versionOf(info); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestHelpNamesEveryProvider: the help text follows the list of providers.
func TestHelpNamesEveryProvider(t *testing.T) {
	const want = "execution `PROVIDER`: cpu, cuda, tensorrt, webgpu, coreml, directml, openvino, go, or auto"
	for _, f := range providerFlags() {
		if s, ok := f.(*cli.StringFlag); ok && s.Name == "provider" && s.Usage != want {
			t.Errorf("%q, want %q", s.Usage, want)
		}
	}
}
