package ort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// npmPack has the npm client fetch a package into dir and returns the archive's
// path. The client checks the package against its registry's hash, and runs none
// of its scripts.
func npmPack(ctx context.Context, spec, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not installed (Debian and Ubuntu: apt install npm)")
	}
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--silent", "--pack-destination", dir)
	cmd.Dir = dir // away from the .npmrc of whatever project this is
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		said := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("npm pack %s: %w: %s", spec, err, said[len(said)-1])
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d archives, want 1", spec, len(found))
	}
	return found[0], nil
}
