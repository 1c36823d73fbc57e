package dataset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"graft/preprocess"
)

// shardForm is WebDataset's tar shards: files that share a name up to its first dot belong
// together, the image as key.jpg, the label as key.cls or in key.json. In one .tar or a
// folder of them; images are read by their offset.
type shardForm struct{ ofFiles }

func (shardForm) sniff(in *input) bool {
	if _, is := in.tree.(*tarTree); is {
		return labelledKeys(in.list)
	}
	if _, is := in.tree.(dirTree); !is {
		return false
	}
	return holdsOnly(in.list, isShard)
}

func isShard(name string) bool {
	lower := strings.ToLower(name)
	return !isHidden(name) && (strings.HasSuffix(lower, ".tar") || strings.HasSuffix(lower, ".tar.gz") || strings.HasSuffix(lower, ".tgz"))
}

// labelEndings are those of a key's label, the first of them before others.
var labelEndings = []string{".cls", ".json"}

// keyOf cuts a name at its base's first dot.
func keyOf(name string) (key, ending string) {
	from := strings.LastIndexByte(name, '/') + 1
	if i := strings.IndexByte(name[from:], '.'); i > 0 {
		return name[:from+i], strings.ToLower(name[from+i:])
	}
	return name, ""
}

// labelledKeys tells that the first image of a list has a label beside it.
func labelledKeys(list []entry) bool {
	for _, e := range list {
		if e.dir || !isImage(e.name) {
			continue
		}
		key, _ := keyOf(e.name)
		return slices.ContainsFunc(list, func(o entry) bool {
			k, ending := keyOf(o.name)
			return k == key && slices.Contains(labelEndings, ending)
		})
	}
	return false
}

// shardSource decodes images of several tars.
type shardSource struct {
	shards []tree
	at     []shardFile
}

type shardFile struct {
	shard int
	entry
}

func (s *shardSource) image(ctx context.Context, i int) (preprocess.Image, error) {
	return decode(ctx, s, i)
}

func (s *shardSource) open(i int) (io.ReadCloser, error) {
	return s.shards[s.at[i].shard].open(s.at[i].entry)
}

func (s *shardSource) size(i int) (int64, error) {
	return s.shards[s.at[i].shard].size(s.at[i].entry)
}

func (s *shardSource) keep(samples []int) { s.at = pick(s.at, samples) }

func (s *shardSource) Close() (err error) {
	for _, t := range s.shards {
		err = errors.Join(err, t.Close())
	}
	return err
}

func (shardForm) open(ctx context.Context, d *Dataset, in *input) error {
	src := &shardSource{}
	d.Kind, d.src, d.again = "webdataset", src, true
	l := shardLoader{d: d, src: src}
	if _, is := in.tree.(*tarTree); is {
		list, faults := in.list, in.faults
		src.shards = append(src.shards, in.take())
		if err := l.add(filepath.Base(d.Path), list, faults); err != nil {
			return fmt.Errorf("%s: %w", d.Path, err)
		}
	}
	folder, is := in.tree.(dirTree)
	list := in.list
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for _, e := range list {
		if !is || e.dir || !isShard(e.name) {
			continue
		}
		shard := &input{Ref: Ref{Path: folder.path(e)}}
		if err := shard.look(ctx); err != nil {
			shard.close()
			return err
		}
		if _, tar := shard.tree.(*tarTree); !tar {
			shard.close()
			return fmt.Errorf("%s: no tar archive, or an empty one", shard.Path)
		}
		list, faults := shard.list, shard.faults
		src.shards = append(src.shards, shard.take())
		if err := l.add(e.name, list, faults); err != nil {
			return fmt.Errorf("%s: %s: %w", d.Path, e.name, err)
		}
	}
	l.classes.settle(d)
	return cmp.Or(d.allLabelled("a .cls, or a .json with "+strings.Join(labelKeys, ", ")), d.sortSplits())
}

// shardLoader makes samples of shards.
type shardLoader struct {
	d       *Dataset
	src     *shardSource
	classes classSet
}

// add takes the images of one shard, the last of the source.
func (l *shardLoader) add(name string, list []entry, faults []Bad) error {
	for _, f := range faults {
		if err := l.d.bad(name, f.Where, f.Reason); err != nil {
			return err
		}
	}
	labels := map[string]entry{}
	for _, e := range list {
		key, ending := keyOf(e.name)
		if rank := slices.Index(labelEndings, ending); rank >= 0 && !e.dir {
			if old, seen := labels[key]; !seen || rank < slices.Index(labelEndings, endingOf(old)) {
				labels[key] = e
			}
		}
	}
	split, stem := splitOfPath(name), strings.TrimSuffix(name, path.Ext(name))
	for _, e := range list {
		if e.dir || !isImage(e.name) {
			continue
		}
		key, _ := keyOf(e.name)
		id := stem + "/" + e.name
		label, err := unlabelled, error(nil)
		if at, labelled := labels[key]; labelled {
			label, err = l.label(at)
		}
		if err == nil && labelFault(label) != "" {
			err = errors.New("label " + labelFault(label))
		}
		if err == nil && len(l.d.Samples) == maxMembers {
			return fmt.Errorf("more than %d images", maxMembers)
		}
		if err != nil {
			if err := l.d.bad(l.d.Path, strings.ToValidUTF8(id, "?"), err.Error()); err != nil {
				return err
			}
			continue
		}
		l.d.Samples = append(l.d.Samples, Sample{ID: strings.ToValidUTF8(id, "?"), Split: split, Label: l.classes.add(label)})
		l.src.at = append(l.src.at, shardFile{len(l.src.shards) - 1, e})
	}
	if split != "" && !slices.Contains(l.d.Splits, split) {
		l.d.Splits = append(l.d.Splits, split)
	}
	return nil
}

func endingOf(e entry) string { _, ending := keyOf(e.name); return ending }

// maxLabelFile bounds a file that tells a label.
const maxLabelFile = 1 << 20

// labelKeys are those of a label in a .json.
var labelKeys = []string{"label", "cls", "class", "label_name", "class_name", "category", "target"}

// label reads a key's label.
func (l *shardLoader) label(e entry) (string, error) {
	if e.size > maxLabelFile {
		return "", fmt.Errorf("%s is longer than %d bytes", e.name, maxLabelFile)
	}
	r, err := l.src.shards[len(l.src.shards)-1].open(e)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxLabelFile))
	if err != nil || endingOf(e) != ".json" {
		return strings.TrimSpace(string(data)), err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", fmt.Errorf("%s: %w", e.name, err)
	}
	for _, key := range labelKeys {
		var text string
		var number json.Number
		switch raw := fields[key]; {
		case raw == nil:
		case json.Unmarshal(raw, &text) == nil:
			return text, nil
		case json.Unmarshal(raw, &number) == nil:
			return number.String(), nil
		}
	}
	return unlabelled, nil
}
