package ort

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"graft/internal/download"
)

// npmPack has the npm client fetch a package into dir and returns the archive's
// path. The client checks the package against its registry's hash, and runs none
// of its scripts.
func npmPack(ctx context.Context, spec, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not installed (Debian and Ubuntu: apt install npm; macOS: brew install node)")
	}
	// By itself npm tries thrice, with pauses of 10 and 60 seconds, and is silent about the reason.
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--loglevel=error", "--no-update-notifier", "--pack-destination", dir,
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000")
	cmd.Dir = dir // away from the .npmrc of whatever project this is
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("npm pack %s: %w: %s", spec, err, download.Redact(npmReason(stderr.String())))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d archives, want 1", spec, len(found))
	}
	return found[0], nil
}

// npmReason is the sentence of npm's complaint that says why: the one with a reason, else the first that is one.
func npmReason(stderr string) string {
	first := ""
	for line := range strings.Lines(stderr) {
		said, ok := strings.CutPrefix(strings.Replace(strings.TrimSpace(line), "npm ERR!", "npm error", 1), "npm error")
		said = strings.TrimSpace(said)
		word, rest, _ := strings.Cut(said, " ")
		switch {
		case !ok || said == "" || slices.Contains([]string{"errno", "syscall", "type", "path"}, word) || strings.HasPrefix(said, "A complete log"):
			continue
		case strings.Contains(said, "reason:"):
			return said
		case word == "code":
			first = cmp.Or(first, rest)
		case first == "" || !strings.Contains(first, " "): // a code alone says less
			first = said
		}
	}
	return cmp.Or(first, strings.TrimSpace(stderr), "it does not say why")
}
