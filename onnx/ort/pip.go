package ort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"graft/internal/download"
	"graft/internal/filehash"
)

// fromPip takes the libraries out of the Python package with OpenVINO.
func (i *installer) fromPip(ctx context.Context, flavor, dir string) (manifest, error) {
	w, ok := i.wheels[i.platform]
	if !ok {
		return manifest{}, fmt.Errorf("no SHA-256 of the package %s is pinned for %s; set %s to a library of your own", openVINOPackage, i.platform, EnvLibrary)
	}
	spec := openVINOPackage + "==" + openVINOVersion
	i.log("running pip download %s", spec)
	file, err := i.pip(ctx, spec, w, filepath.Dir(dir))
	if err != nil {
		return manifest{}, fmt.Errorf("%w; or fetch %s where you can, bring it here, and then: graft setup --from FILE", err, w.name)
	}
	got, err := filehash.File(ctx, file)
	if err != nil {
		return manifest{}, err
	}
	if got != w.sha256 {
		return manifest{}, fmt.Errorf("%s: SHA-256 %s, want %s: not the file that graft was tested with", filepath.Base(file), got, w.sha256)
	}
	files, err := unpackMembers(file, dir, w.members)
	if err != nil {
		return manifest{}, fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
	}
	return manifest{Version: versionOf(flavor), Source: "pip " + spec, Files: files}, os.Remove(file)
}

// pipDownload has pip fetch a wheel into dir, whatever Python is here, and returns its path. Nothing of it is run.
func pipDownload(ctx context.Context, spec string, w wheel, dir string) (string, error) {
	pip := pipCommand(ctx)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if pip == nil {
		return "", errors.New("pip is not installed (Debian and Ubuntu: apt install python3-pip)")
	}
	args := append(slices.Clone(pip[1:]), "download", spec, "--no-deps", "--only-binary=:all:", "--implementation=cp", "--python-version="+w.python,
		"--abi=cp"+w.python, "--platform="+w.platform, "--dest="+dir, "--no-input", "--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=15")
	cmd := exec.CommandContext(ctx, pip[0], args...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("pip download %s: %w: %s", spec, err, download.Redact(strings.TrimPrefix(lines[len(lines)-1], "ERROR: ")))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("pip download %s left %d wheels, want 1", spec, len(found))
	}
	return found[0], nil
}

// pipCommand is how pip is called here; nil where it is not.
func pipCommand(ctx context.Context) []string {
	for _, name := range []string{"pip3", "pip"} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}
		}
	}
	if path, err := exec.LookPath("python3"); err == nil && exec.CommandContext(ctx, path, "-m", "pip", "--version").Run() == nil {
		return []string{path, "-m", "pip"}
	}
	return nil
}
