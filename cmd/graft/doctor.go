package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/internal/columns"
	"graft/onnx/ort"
	"graft/pretrained"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "tell what this machine can run, and what is missing",
		Description: `Looks for the ONNX Runtime library, starts every execution provider once with
a model of two nodes, and lists what decides the speed of this machine. What is
missing is listed with the command that mends it. Exit status 1 where ONNX Runtime
does not run on the CPU, though this build is meant to use it; missing
accelerators are no failure.

   graft doctor
   graft doctor --json report.json`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			report := ort.Doctor(c.Context, pretrained.OpenModel)
			return cmp.Or(printDoctor(humanOut(c), report), writeJSON(c, "graft-doctor-1", report), report.Err())
		},
	}
}

func printDoctor(w io.Writer, r ort.Report) error {
	t := columns.New(w, 2)
	if r.Library != nil {
		fmt.Fprintf(t, "library\tONNX Runtime %s (pinned: %s)\n\t%s, from: %s %s\n", r.Library.Version, r.Pinned, r.Library.Path, r.Library.Source, r.Library.Flavor)
	} else {
		fmt.Fprintf(t, "library\tnone (pinned: ONNX Runtime %s)\n", r.Pinned)
	}
	for i, p := range r.Providers {
		label := ""
		if i == 0 {
			label = "providers"
		}
		fmt.Fprintf(t, "%s\t%s: %s\n", label, p.Name, providerState(p))
	}
	fmt.Fprintf(t, "cpu\t%s, %s\n", r.CPU.Arch, strings.Join(r.CPU.Features, " "))
	fmt.Fprintf(t, "\t%d cores, GOMAXPROCS %d, control group: %s CPUs, %s memory\n", r.CPU.Cores, r.CPU.GOMAXPROCS,
		orNone(r.CPU.CgroupCPUs > 0, fmt.Sprintf("%.1f", r.CPU.CgroupCPUs)), orNone(r.CPU.CgroupBytes > 0, megabytes(r.CPU.CgroupBytes)))
	for _, c := range r.Caches {
		fmt.Fprintf(t, "cache\t%s: %s, %s\n", c.Name, c.Path, megabytes(c.Bytes))
	}
	for _, tool := range r.Tools {
		fmt.Fprintf(t, "%s\t%s\n", tool.Name, orNone(tool.Path != "", strings.TrimSpace(tool.Path+" "+tool.Detail)))
	}
	for _, p := range r.Problems {
		fmt.Fprintf(t, "missing\t%s\n\t→ %s\n", p.What, p.Fix)
	}
	if len(r.Problems) == 0 {
		fmt.Fprintln(t, "missing\tnothing")
	}
	return t.Flush()
}

func providerState(p ort.ProviderReport) string {
	switch {
	case p.Starts:
		return "runs"
	case p.InLibrary:
		return "in the library, does not start: " + p.Problem
	}
	return "no: " + p.Problem
}

func orNone(ok bool, s string) string {
	if ok {
		return s
	}
	return "none"
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
