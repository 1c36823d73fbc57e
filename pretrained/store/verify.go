package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"graft/internal/atomicfile"
	"graft/internal/filehash"
	"graft/internal/parallel"
)

// check is a file and the hash that it has to have.
type check struct {
	file  string // slash-separated, below the store
	sum   string
	shard int // noShard for files of the whole store
}

// noShard marks files that belong to no one shard.
const noShard = -1

func checksOf(shard int, s *Shard) []check {
	var out []check
	for file, sum := range s.Files {
		out = append(out, check{file, sum, shard})
	}
	return out
}

// checkFiles compares files with their hashes, on all cores, and returns the
// faults in the order of list.
func checkFiles(ctx context.Context, dir string, list []check, progress func(done, total int64)) ([]Fault, error) {
	found := make([]*Fault, len(list))
	if err := parallel.For(ctx, len(list), progress, func(i int) error {
		found[i] = list[i].fault(ctx, dir)
		return nil
	}); err != nil {
		return nil, err
	}
	var out []Fault
	for _, f := range slices.DeleteFunc(found, func(f *Fault) bool { return f == nil }) {
		out = append(out, *f)
	}
	return out, nil
}

// fault is what is wrong with the file, or nil.
func (c check) fault(ctx context.Context, dir string) *Fault {
	got, err := filehash.File(ctx, filepath.Join(dir, filepath.FromSlash(c.file)))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &Fault{Missing, c.file, c.shard, ""}
	case err != nil:
		return &Fault{Damaged, c.file, c.shard, err.Error()}
	case got != c.sum:
		return &Fault{Damaged, c.file, c.shard, fmt.Sprintf("SHA-256 is %s, the manifest says %s", got, c.sum)}
	}
	return nil
}

// Verify checks a whole store: that every shard is there, that every file has its
// hash, and that there is nothing else. Faults are in the report; the error is for
// a folder that holds no readable store, and for ctx. progress, which may be nil, is
// told files, done and in total.
func Verify(ctx context.Context, dir string, progress func(done, total int64)) (Report, error) {
	m, err := readManifest(dir)
	if err != nil {
		return Report{}, err
	}
	plan, err := m.plan()
	if err != nil {
		return Report{}, err
	}
	v := &verifier{dir: dir, m: m, plan: plan, r: Report{
		Store: dir, Complete: m.Complete(), Shards: m.shardCount(), Files: 1, Faults: []Fault{}, Fixes: []string{},
	}}
	if v.found, err = listFiles(dir, m); err != nil {
		return Report{}, err
	}
	v.shards()
	if m.Errors != "" {
		v.list = append(v.list, check{errorsPath, m.Errors, noShard})
	}
	if m.Groups != "" {
		v.list = append(v.list, check{groupsPath, m.Groups, noShard})
	}
	faults, err := checkFiles(ctx, dir, v.list, progress)
	if err != nil {
		return Report{}, err
	}
	v.r.Faults = append(v.r.Faults, faults...)
	v.r.Files += len(v.list)
	v.unexpected()
	v.r.conclude(m)
	return v.r, nil
}

// verifier gathers what Verify has to check.
type verifier struct {
	dir, plan string
	m         *Manifest
	found     []string // files in the store's folders and other entries of its own, slash-separated
	list      []check
	r         Report
}

// systemFile tells the names of files that no program of ours wrote: what macOS
// and Windows leave in folders that somebody looked into, and what NFS keeps of a
// deleted file that is still open.
func systemFile(name string) bool {
	return slices.Contains([]string{".DS_Store", "Thumbs.db", "desktop.ini"}, name) ||
		strings.HasPrefix(name, "._") || strings.HasPrefix(name, ".nfs")
}

// listFiles lists what lies in the store's own folders, and in the folder itself,
// but for the system's own files.
func listFiles(dir string, m *Manifest) (found []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	folders := map[string]bool{metaFolder: true, recordFolder: true}
	for _, t := range m.folders() {
		folders[t.Name] = true
	}
	for _, e := range entries {
		if systemFile(e.Name()) {
			continue
		}
		if !e.IsDir() || !folders[e.Name()] {
			found = append(found, e.Name())
			continue
		}
		inside, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range inside {
			if !systemFile(f.Name()) {
				found = append(found, e.Name()+"/"+f.Name())
			}
		}
	}
	return found, nil
}

// shards checks the records and lists the files that they and the manifest name.
func (v *verifier) shards() {
	records := slices.ContainsFunc(v.found, func(f string) bool { return strings.HasPrefix(f, recordFolder+"/") })
	missing := len(v.r.Faults)
	for k := range v.m.shardCount() {
		listed, path := v.m.listed(k), v.m.recordPath(k)
		r, err := readRecord(v.dir, v.m, v.plan, k)
		switch {
		case err == nil && listed != nil && !reflect.DeepEqual(*listed, r.Shard):
			v.fault(Damaged, path, k, "does not say what the manifest says")
		case errors.Is(err, os.ErrNotExist) && listed == nil:
			v.fault(Missing, path, k, "the shard is not made yet")
		case errors.Is(err, os.ErrNotExist) && records:
			v.fault(Missing, path, k, "")
		case err != nil && !errors.Is(err, os.ErrNotExist):
			v.fault(Damaged, path, k, err.Error())
		}
		if err == nil {
			v.r.Files++
			v.list = append(v.list, checksOf(k, &r.Shard)...)
		} else if listed != nil {
			v.list = append(v.list, checksOf(k, listed)...)
		}
	}
	if _, err := readManifestFile(filepath.Join(v.dir, manifestName)); err != nil {
		v.fault(map[bool]Kind{true: Missing, false: Damaged}[errors.Is(err, os.ErrNotExist)], manifestName, noShard, err.Error())
	} else if len(v.r.Faults) == missing && !v.r.Complete {
		v.fault(Missing, manifestName, noShard, "lists no shards yet, although all are there")
	}
}

func (v *verifier) fault(kind Kind, file string, shard int, detail string) {
	v.r.Faults = append(v.r.Faults, Fault{kind, file, shard, detail})
}

// unexpected finds what has no business in the store. Files of a shard without a
// record have: its process may just be at work, or was killed between them.
func (v *verifier) unexpected() {
	expected := v.m.own()
	expected[errorsPath] = v.m.Errors != "" || !v.r.Complete
	expected[groupsPath] = v.m.Groups != "" || !v.r.Complete
	expected[v.m.Backbone.Name] = true // a backbone may lie beside its features
	for _, f := range v.found {
		switch {
		case strings.HasPrefix(path.Base(f), atomicfile.TempPrefix):
			v.fault(Leftover, f, noShard, "")
		case !expected[f]:
			v.fault(Unexpected, f, noShard, "")
		}
	}
}

// own are all files that the store may have, slash-separated.
func (m *Manifest) own() map[string]bool {
	files := map[string]bool{errorsPath: true, groupsPath: true, manifestName: true, planPath: true}
	for k := range m.shardCount() {
		files[m.recordPath(k)] = true
		for _, f := range m.shardFiles(k * m.ShardRows) {
			files[f] = true
		}
	}
	return files
}

// Others are the files and folders in dir, slash-separated, that are none of the store's own and no temporaries: a backbone,
// with what belongs to it, and what the user put there. What a system leaves in folders is not among them.
func Others(dir string) ([]string, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	found, err := listFiles(dir, m)
	own := m.own()
	return slices.DeleteFunc(found, func(f string) bool { return own[f] || strings.HasPrefix(path.Base(f), atomicfile.TempPrefix) }), err
}
