package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"graft/onnx/ort"
)

func setupCommand() *cli.Command {
	return &cli.Command{
		Name:  "setup",
		Usage: "install the ONNX Runtime library into your cache",
		Description: fmt.Sprintf(`Installs ONNX Runtime %[1]s for this user: the official release, else, where that
cannot be had, the library in the npm package onnxruntime-node through the npm
client. Whatever is installed is checked against a SHA-256 pinned in graft.
Nothing needs root; the environment variable %[2]s makes graft use a
library of your own instead.

   graft setup
   graft setup --gpu            # CUDA and TensorRT, for NVIDIA cards
   graft setup --from npm       # with WebGPU, and DirectML on Windows
   graft setup --openvino       # beside it, for --provider openvino: by pip

For a machine without a network fetch either's archive on another one, by
'npm pack onnxruntime-node@%[1]s' or from the release's page:

   graft setup --from onnxruntime-node-%[1]s.tgz`, ort.PinnedVersion, ort.EnvLibrary),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "gpu", Usage: "install the build with CUDA and TensorRT"},
			&cli.IntFlag{Name: "cuda", Usage: "major `VERSION` of the CUDA runtime for --gpu: 12 or 13 (0: as found here)"},
			&cli.BoolFlag{Name: "openvino", Usage: "install the build with OpenVINO too, from the Python package onnxruntime-openvino through pip"},
			&cli.StringFlag{Name: "from", Value: "auto", Usage: "`SOURCE`: release, npm, auto, the first that can be had, or a file: the .tgz of either, the library of npm's, or the wheel with OpenVINO"},
			jsonFlag(),
		},
		Action: resumes(runSetup),
	}
}

func runSetup(c *cli.Context) error {
	switch c.String("from") {
	case "auto", "release", "npm":
	default:
		if _, err := os.Stat(c.String("from")); err != nil {
			return usageErrorf("--from %q: want auto, release, npm, or a file that is there: %w", c.String("from"), err)
		}
		if err := refuse(c, "the file's hash says which build it is", "gpu", "cuda", "openvino"); err != nil {
			return err
		}
	}
	if c.Bool("openvino") {
		if err := refuse(c, "the build with OpenVINO comes by pip alone", "gpu", "cuda", "from"); err != nil {
			return err
		}
	}
	switch c.Int("cuda") {
	case 0, 12, 13:
	default:
		return usageErrorf("--cuda %d: want 12 or 13", c.Int("cuda"))
	}
	if !c.Bool("gpu") {
		if err := refuse(c, "only --gpu has builds for several", "cuda"); err != nil {
			return err
		}
	}
	if c.Bool("gpu") && c.String("from") == "npm" {
		return usageErrorf("--gpu --from npm: the npm package has no CUDA; leave --from out")
	}
	lib, err := ort.Install(c.Context, ort.InstallOptions{
		GPU: c.Bool("gpu"), CUDA: c.Int("cuda"), OpenVINO: c.Bool("openvino"), From: c.String("from"),
		Progress: newProgress(c, "downloading (bytes)"),
		Log:      func(line string) { logf(c, "%s", line) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(humanOut(c), "ONNX Runtime %s: %s\n", lib.Version, lib.Path)
	return writeJSON(c, "graft-library-1", lib)
}
