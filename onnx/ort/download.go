package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"graft/internal/download"
	"graft/internal/filehash"
)

const (
	// attempts is how often a download is begun or resumed.
	attempts = 4
	// maxArchiveBytes bounds a download: the largest archive has 250 MB.
	maxArchiveBytes = 1 << 30
)

// withArchive downloads an archive into the folder of the pinned version, compares
// its SHA-256, lets use read it and moves it into dir. What a cut or cancelled download
// has got stays there, and the next one goes on from it.
func (i *installer) withArchive(ctx context.Context, a archive, dir string, use func(path string) error) (err error) {
	path := filepath.Join(i.dir, a.name)
	part, err := download.Open(path, download.Options{
		Attempts: attempts, Backoff: i.retryPause, MaxBytes: maxArchiveBytes,
		FailUnreachable: true, // npm or the user's own download is the other way
		Progress:        i.Progress, Log: i.Log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	// An install that was killed while it unpacked leaves the archive.
	if got, err := filehash.File(ctx, path); err != nil || got != a.sha256 {
		if err := fetch(ctx, part, i.url(a.name), a.sha256); err != nil {
			return fmt.Errorf("download %s: %w", i.url(a.name), err)
		}
	}
	if err := use(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return os.Rename(path, filepath.Join(dir, a.name))
}

func fetch(ctx context.Context, part *download.Part, address, want string) error {
	if err := part.Fetch(ctx, address); err != nil {
		return err
	}
	got, err := part.SHA256(ctx)
	if err != nil {
		return err
	}
	if got != want {
		err := fmt.Errorf("SHA-256 %s, want %s: not the file that graft was tested with", got, want)
		return errors.Join(err, part.Discard())
	}
	return part.Commit()
}
