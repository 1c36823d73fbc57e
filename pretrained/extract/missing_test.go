package extract_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// away moves a folder out of reach before the first of the batches named, back
// before the second, and so on.
func away(dir string, batches ...int) func(batch int) error {
	return func(batch int) error {
		if len(batches) == 0 || batch != batches[0] {
			return nil
		}
		batches = batches[1:]
		if _, err := os.Stat(dir); err != nil {
			return os.Rename(dir+".away", dir)
		}
		return os.Rename(dir, dir+".away")
	}
}

// When a folder goes in the middle of a shard, nothing that was in it is put on
// record as bad, and the store ends as if it had stayed.
func TestVanishedFolderStops(t *testing.T) {
	for name, c := range map[string]struct {
		shardRows int
		moves     []int // batches of two images, of sixty
		want      string
		kept      int
	}{
		"for good":          {40, []int{5}, "could be read a moment ago and now cannot (file not found)", 0},
		"for a while":       {40, []int{5, 10}, "was not there a moment ago, and now is", 0},
		"in the last shard": {30, []int{24}, "shard 1: image train/dog/", 30},
	} {
		t.Run(name, func(t *testing.T) {
			dir := pictures(t, 60, 0)
			data := openData(t, dir)
			b, out, whole := &fake{fail: away(dir, c.moves...)}, filepath.Join(t.TempDir(), "e"), filepath.Join(t.TempDir(), "whole")
			config := extract.Config{Data: data, Backbone: b, Out: out, Batch: 2, ShardRows: c.shardRows}
			_, err := extract.Run(context.Background(), config, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir+" still whole, and mounted?") {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			s, err := store.Open(out)
			if err != nil || s.Info().Complete || s.Info().Rows+s.Info().Bad != c.kept || s.Info().Bad > 1 {
				t.Fatalf("kept %+v, %v; want %d samples, and the bad one at most", s.Info(), err, c.kept)
			}
			if _, err := os.Stat(dir); err != nil {
				if err := os.Rename(dir+".away", dir); err != nil {
					t.Fatal(err)
				}
			}
			b.fail = nil
			for _, config.Out = range []string{out, whole} {
				if _, err := extract.Run(context.Background(), config, nil); err != nil {
					t.Fatal(err)
				}
			}
			sameFiles(t, whole, out)
		})
	}
}

// A folder that is gone is no folder of bad images, not even for the part that has
// but a short last shard to make.
func TestNothingThereStops(t *testing.T) {
	for _, part := range []store.Part{{}, {I: 2, N: 3}} {
		dir := pictures(t, 10)
		data := openData(t, dir)
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "e")
		for _, skipBad := range []bool{false, true} {
			_, err := extract.Run(context.Background(), extract.Config{
				Data: data, Backbone: &fake{}, Out: out, Batch: 2, ShardRows: 4, Part: part, SkipBad: skipBad}, nil)
			if err == nil || !strings.Contains(err.Error(), "every one of its") || !strings.Contains(err.Error(), dir+" still whole, and mounted?") {
				t.Errorf("part %v: error %v", part, err)
			}
		}
		if s, err := store.Open(out); err != nil || s.Info().Rows+s.Info().Bad != 0 {
			t.Errorf("part %v: kept %+v, %v", part, s.Info(), err)
		}
	}
}

// Bad images may come in a row: a short last shard of them is kept, a whole one
// has to be asked for.
func TestShardsOfBadImages(t *testing.T) {
	// In order of path cats, of even numbers, come first: the samples 4 to 7, 8 and 9.
	for name, c := range map[string]struct {
		bad     []int
		skipBad bool
		want    string
	}{
		"short": {[]int{7, 9}, false, ""}, "whole": {[]int{8, 1, 3, 5}, false, "--skip-bad leaves them out"},
		"whole, asked for": {[]int{8, 1, 3, 5}, true, ""}, "all": {[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, true, "every one of its 4 images is bad"},
	} {
		data := openData(t, pictures(t, 10, c.bad...))
		config := extract.Config{Data: data, Backbone: &fake{}, Out: filepath.Join(t.TempDir(), "e"), Batch: 2, ShardRows: 4, SkipBad: c.skipBad}
		sum, err := extract.Run(context.Background(), config, nil)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if err == nil && (sum.State.Bad != len(c.bad) || !sum.State.Complete()) {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}
