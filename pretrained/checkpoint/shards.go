package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Sharded weights are several files and an index that tells in which of them each tensor
// lies (transformers' save_pretrained).
const (
	indexSuffix = ".index.json"
	maxIndex    = 16 << 20 // bytes
	maxShards   = 1024
)

var shardName = regexp.MustCompile(`^(.*)-\d{5}-of-(\d{5})\.(safetensors|bin)$`)

// shardOf is how many shards the name of a file speaks of, 0 where of none.
func shardOf(path string) int {
	if m := shardName.FindStringSubmatch(filepath.Base(path)); m != nil {
		n, _ := strconv.Atoi(m[2])
		return n
	}
	return 0
}

func shardError(path string) error {
	m := shardName.FindStringSubmatch(filepath.Base(path))
	return fmt.Errorf("one of %d shards, which has a part of the tensors: name the index (%s%s) or the folder that they lie in",
		shardOf(path), m[1]+"."+m[3], indexSuffix)
}

// weightsIn finds what a folder has: an index, else shards without one, else a single file.
// safetensors goes before torch's files.
func weightsIn(folder string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var found []string
	for _, suffixes := range [][]string{{".safetensors" + indexSuffix}, {".bin" + indexSuffix}, {".safetensors"}, {".bin", ".pth", ".pt"}} {
		for _, e := range entries {
			if !e.IsDir() && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) }) {
				found = append(found, e.Name())
			}
		}
		if len(found) > 0 {
			break
		}
	}
	switch {
	case len(found) == 0:
		return "", errors.New("a folder without weights: want an index (model.safetensors.index.json) and its shards, or one .safetensors, .bin, .pth or .pt file")
	case shardOf(found[0]) > 1:
		m := shardName.FindStringSubmatch(found[0])
		return filepath.Join(folder, m[1]+"."+m[3]+indexSuffix), nil // it may be missing
	case len(found) > 1:
		return "", fmt.Errorf("a folder with %d files of weights: name one of %s", len(found), listShort(found))
	}
	return filepath.Join(folder, found[0]), nil
}

// readShards reads the tensors of all shards of an index, and chooses among them as in
// one file.
func (p *parts) readShards(index, key string) (*contents, error) {
	placed, err := readIndex(index)
	if err != nil {
		return nil, err
	}
	files := slices.Compact(slices.Sorted(maps.Values(placed)))
	if placed == nil {
		if files, err = allShards(index); err != nil {
			return nil, err
		}
	}
	if len(files) > maxShards {
		return nil, fmt.Errorf("%d shards, more than the limit of %d", len(files), maxShards)
	}
	all := map[string]*tensor{}
	for _, file := range files {
		if !filepath.IsLocal(file) {
			return nil, fmt.Errorf("the index names the file %s, which lies outside its folder", quote(file))
		}
		c, err := p.readFile(filepath.Join(filepath.Dir(index), file), Whole)
		if err != nil {
			return nil, fmt.Errorf("shard %s: %w", file, err)
		}
		for name, t := range c.tensors {
			if placed != nil && placed[name] != file {
				return nil, fmt.Errorf("shard %s holds tensor %s, which the index has in %s", file, quote(name), quote(placed[name]))
			}
			if all[name] != nil {
				return nil, fmt.Errorf("tensor %s lies in two shards, one of them %s", quote(name), file)
			}
			all[name] = t
		}
	}
	for _, name := range slices.Sorted(maps.Keys(placed)) {
		if all[name] == nil {
			return nil, fmt.Errorf("shard %s lacks tensor %s, which the index has there", placed[name], quote(name))
		}
	}
	return chosen(all, key, nil)
}

// readIndex reads in which file each tensor lies; nil where there is no index.
func readIndex(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var index struct {
		Placed map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxIndex)).Decode(&index); err != nil {
		return nil, fmt.Errorf("not an index of shards: %w", err)
	}
	if len(index.Placed) == 0 {
		return nil, errors.New("not an index of shards: it has no weight_map")
	}
	return index.Placed, nil
}

// allShards lists the shards of an index that is not there; one that is missing is an error.
func allShards(index string) ([]string, error) {
	name := filepath.Base(strings.TrimSuffix(index, indexSuffix))
	entries, err := os.ReadDir(filepath.Dir(index))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if m := shardName.FindStringSubmatch(e.Name()); m != nil && m[1]+"."+m[3] == name {
			found = append(found, e.Name())
		}
	}
	if len(found) == 0 {
		return nil, os.ErrNotExist
	}
	if n := shardOf(found[0]); n != len(found) {
		return nil, fmt.Errorf("%d of %d shards, and no index of them", len(found), n)
	}
	return found, nil
}
