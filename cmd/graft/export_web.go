package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"graft/finetune/ship"
	"graft/serve"
)

// exportSite writes a run as a page in which it runs.
func exportSite(c *cli.Context, config ship.Config) error {
	const why = "a page has its own model, which takes whole photographs"
	if err := refuse(c, why, "backbone", "whole-image", "snippets"); err != nil {
		return err
	}
	runtime := c.String("web-runtime")
	if runtime == "" {
		var err error
		if runtime, err = fetchedRuntime(c.Context); err != nil {
			return err
		}
	}
	e, err := serve.WriteSite(c.Context, serve.SiteConfig{Export: config, Dir: c.String("web"), Runtime: runtime})
	if err != nil {
		return err
	}
	logf(c, "next: python3 -m http.server --bind 127.0.0.1 -d %s 8000", c.String("web"))
	return printExported(c, e)
}

// fetchedRuntime is the folder with what runs models in browsers, in the user's cache; npm fetches it once.
func fetchedRuntime(ctx context.Context) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(base, "graft", "web")
	dist := filepath.Join(home, "node_modules", "onnxruntime-web", "dist")
	if _, err := os.Stat(filepath.Join(dist, "ort.wasm.min.mjs")); err == nil {
		return dist, nil
	}
	if err := os.MkdirAll(home, 0o777); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", home, serve.WebRuntime).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("npm install %s: %w\n%s\nor name its folder dist with --web-runtime", serve.WebRuntime, err, out)
	}
	return dist, nil
}
