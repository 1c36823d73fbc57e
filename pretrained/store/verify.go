package store

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"graft/internal/filehash"
)

// verifyShards checks every file of every finished shard: for features that the
// header fits the manifest and the size fits the header, and for all the hash. It
// returns the first fault of each damaged shard, by the shard's first sample.
func verifyShards(ctx context.Context, dir string, m *Manifest, progress func(done, total int64)) (map[int]error, error) {
	var mu sync.Mutex
	var done atomic.Int64
	faults := map[int]error{}
	total := int64(len(m.Shards) * (len(m.folders()) + 1))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range m.Shards {
		s := &m.Shards[i]
		for path, sum := range s.Files {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				err := verifyFile(dir, path, sum)
				mu.Lock()
				defer mu.Unlock()
				if err != nil && faults[s.First] == nil {
					faults[s.First] = err
				}
				if n := done.Add(1); progress != nil {
					progress(n, total)
				}
				return nil
			})
		}
	}
	return faults, g.Wait()
}

// verifyFile compares a file with its hash.
func verifyFile(dir, slash, sum string) error {
	path := filepath.Join(dir, filepath.FromSlash(slash))
	got, err := filehash.File(path)
	if err != nil {
		return err
	}
	if got != sum {
		return fmt.Errorf("%s: SHA-256 is %s, the manifest says %s: the file was changed or damaged", path, got, sum)
	}
	return nil
}
