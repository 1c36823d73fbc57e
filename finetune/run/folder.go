package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/filelock"
)

// The files of a run folder.
const (
	configFile        = "config.json"
	weightsFile       = "model.safetensors"
	historyFile       = "history.csv"
	metricsFile       = "metrics.json"
	seenFile          = "seen.parquet"
	CheckpointFile    = "checkpoint.safetensors"       // of a training under way
	lastFile          = "last.safetensors"             // the last weights, where the best were kept
	lockFile          = atomicfile.TempPrefix + "lock" // of a training under way, or one that was killed
	predictionsPrefix = "predictions-"
	predictionsSuffix = ".csv"
)

// runFile tells whether name is a file that a run folder holds by format.
func runFile(name string) bool {
	switch name {
	case configFile, weightsFile, historyFile, metricsFile, seenFile, CheckpointFile, lastFile:
		return true
	}
	return strings.HasPrefix(name, predictionsPrefix) && strings.HasSuffix(name, predictionsSuffix) ||
		strings.HasPrefix(name, atomicfile.TempPrefix)
}

// CheckFolder refuses a folder that a new run would damage: before the work
// starts, not after it. It tells whether an interrupted training left a
// checkpoint there, to be gone on from unless it is to be replaced by force. What
// one without checkpoints left when it was killed may be replaced.
func CheckFolder(dir string, force bool) (unfinished bool, err error) {
	if dir == "" {
		return false, fmt.Errorf("no folder for the run was given")
	}
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("run folder %s: %w", dir, err)
	}
	finished := exists(filepath.Join(dir, configFile))
	switch {
	case len(entries) == 0:
		return false, nil
	case !force && !finished && exists(filepath.Join(dir, CheckpointFile)):
		return true, nil
	case !force && !finished && exists(filepath.Join(dir, lockFile)):
		return false, onlyRunFiles(dir, entries)
	case !force:
		return false, fmt.Errorf("run folder %s exists and is not empty; choose another --out, or replace it with --force", dir)
	case !finished:
		return false, onlyRunFiles(dir, entries)
	}
	if _, err := ReadConfig(dir); err != nil {
		return false, fmt.Errorf("--force replaces runs only: %w", err)
	}
	return false, nil
}

// Hold takes a folder for one training, as CheckFolder allows, and makes it where it is missing: so that two cannot write
// into one, and a folder that cannot be written is told before the work. Release lets go of it, and takes it away again where
// nothing was written; what a training that failed has left stays marked, so that the next may replace it. On a file system
// without locks nothing is held.
func Hold(dir string, force bool) (unfinished bool, release func() error, err error) {
	tidy(dir)
	if _, err := CheckFolder(dir, force); err != nil {
		return false, nil, err
	}
	missing := !exists(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, nil, fmt.Errorf("run folder: %w", err)
	}
	lock, err := filelock.Acquire(filepath.Join(dir, lockFile))
	release = func() error {
		var err error
		switch {
		case lock == nil:
		case halfWritten(dir):
			err = lock.Abandon()
		default:
			err = lock.Release()
		}
		if missing {
			_ = os.Remove(dir) // only an empty folder goes
		}
		return err
	}
	switch {
	case errors.Is(err, filelock.ErrLocked):
		return false, nil, fmt.Errorf("run folder %s: another training is writing there; wait until it has ended, or choose another --out", dir)
	case errors.Is(err, errors.ErrUnsupported):
		lock = nil
	case err != nil:
		return false, nil, errors.Join(fmt.Errorf("run folder: %w", err), release())
	}
	if unfinished, err = CheckFolder(dir, force); err != nil { // another may have ended in between
		return false, nil, errors.Join(err, release())
	}
	return unfinished, release, nil
}

// tidy removes what a training leaves in its folder that was killed after its run was complete.
func tidy(dir string) {
	if !exists(filepath.Join(dir, configFile)) || !exists(filepath.Join(dir, lockFile)) {
		return
	}
	if lock, err := filelock.Acquire(filepath.Join(dir, lockFile)); err == nil {
		_ = os.Remove(filepath.Join(dir, CheckpointFile))
		_ = lock.Release()
	}
}

// halfWritten tells whether a training that keeps no checkpoints, or had none yet, has left files of an unfinished run.
func halfWritten(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return len(entries) > 1 && !exists(filepath.Join(dir, configFile)) && !exists(filepath.Join(dir, CheckpointFile)) && onlyRunFiles(dir, entries) == nil
}

// onlyRunFiles accepts what an interrupted training leaves and nothing else.
func onlyRunFiles(dir string, entries []os.DirEntry) error {
	for _, e := range entries {
		if e.IsDir() || !runFile(e.Name()) {
			return fmt.Errorf("--force replaces runs only: %s has no %s and holds %s", dir, configFile, e.Name())
		}
	}
	return nil
}

// StartFolder makes the folder, or takes the files of an earlier run out of it;
// config.json goes first, so that no mixture ever looks finished. What else
// lies there (an exported model, a plot) stays.
func StartFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, configFile)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("run folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	for _, e := range entries {
		if runFile(e.Name()) && e.Name() != lockFile {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("run folder: %w", err)
			}
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Absolute is a path as config.json records it: from the root, or as it is
// where that cannot be told.
func Absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
