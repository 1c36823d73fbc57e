package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/measure"
	"graft/onnx/session"
	"graft/pretrained"
)

// allProviders is the word for each that runs here.
const allProviders = "all"

// benchProviders measures extract on each provider that runs here. A process loads one library, so each has its own.
func benchProviders(c *cli.Context, words []string) error {
	if !slices.Equal(words, []string{extractWord}) {
		return usageErrorf("--provider all measures extract alone; leave --cases out, or name one provider")
	}
	if err := refuse(c, "providers have numbers of their own", "device", "allow-fallback"); err != nil {
		return err
	}
	var cases []measure.Case
	for _, p := range session.Providers() {
		logf(c, "measuring provider %s", p)
		list, err := benchChild(c, p)
		if c.Context.Err() != nil {
			return c.Context.Err()
		}
		if err != nil {
			logf(c, "%s does not run here: %v", p, err)
			continue
		}
		for _, k := range list {
			if k.Baseline != "" { // not the bare session beside it
				cases = append(cases, k)
			}
		}
	}
	slices.SortStableFunc(cases, func(a, b measure.Case) int { return cmp.Compare(b.ItemsPerSecond, a.ItemsPerSecond) })
	if err := printCases(humanOut(c), cases); err != nil {
		return err
	}
	if c.Bool("remember") {
		var order []session.Provider
		for _, k := range cases {
			order = append(order, session.Provider(k.Provider))
		}
		path, err := pretrained.Remember(order)
		if err != nil {
			return err
		}
		fmt.Fprintf(humanOut(c), "auto tries %s from now on, as %s says; without that file it is as before\n", strings.Trim(fmt.Sprint(order), "[]"), path)
	}
	return writeJSON(c, "graft-bench-1", measure.Report{Cases: cases})
}

// benchChild measures one provider in a process of its own. Whatever keeps it from running is the error, also outputs that are
// not the CPU's.
func benchChild(c *cli.Context, p session.Provider) ([]measure.Case, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"bench", "-q", "--cases", extractWord, "--provider", string(p), "--json", "-"}
	for _, name := range []string{"model", "random-init", "arch", "batch", "images", "rounds", "threads"} {
		if c.IsSet(name) {
			args = append(args, "--"+name, fmt.Sprint(c.Value(name)))
		}
	}
	child := exec.CommandContext(c.Context, self, args...)
	var out, said bytes.Buffer
	child.Stdout, child.Stderr = &out, &said
	if err := child.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("%s", strings.TrimPrefix(cmp.Or(lines[len(lines)-1], err.Error()), "graft: "))
	}
	var report measure.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		return nil, err
	}
	return report.Cases, nil
}
