package ort

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"graft/internal/atomicfile"
	"graft/internal/filehash"
	"graft/internal/filelock"
	"graft/internal/schema"
)

// InstallOptions say which build Install installs and where from.
type InstallOptions struct {
	// GPU asks for the build with CUDA and TensorRT.
	GPU bool
	// CUDA is the major version of the CUDA runtime that the build is for, 12 or
	// 13; 0 takes 13 where only that runtime is found, else 12.
	CUDA int
	// OpenVINO asks for the build with OpenVINO, which lies beside the others: a process that wants that provider
	// loads it.
	OpenVINO bool
	// From is "release" (the official archive), "npm" (the package
	// onnxruntime-node through the npm client), "auto": the first, else the
	// second; or the path of a file that is either's archive, or the library
	// in the latter's, or the wheel with OpenVINO.
	From string
	// Progress counts bytes; it may be nil.
	Progress func(done, total int64)
	// Log takes one line for people at a time; it may be nil.
	Log func(line string)
}

// manifest is the file in an install folder that says what was put there.
type manifest struct {
	Version string            `json:"version"`
	Source  string            `json:"source"`
	Files   map[string]string `json:"files"` // name to SHA-256, for people: verify goes by what is pinned
}

const manifestName = "install.json"

// Install puts the pinned library into the user's cache, unless it is there
// already and whole, and returns it. Everything it writes was checked against a
// pinned SHA-256; the folder appears whole or not at all. Nothing needs root.
// An archive that has come in part, also when ctx ends, is kept for the next
// Install; while another process downloads the same one, Install is an error.
// Sessions then find it.
func Install(ctx context.Context, o InstallOptions) (Library, error) {
	if !cgo {
		return Library{}, errNoCgo
	}
	dir, err := cacheDir()
	if err != nil {
		return Library{}, err
	}
	i := installer{
		InstallOptions: o, dir: filepath.Join(dir, PinnedVersion), platform: runtime.GOOS + "/" + runtime.GOARCH,
		releases: releases, members: npmMembers,
		url: func(name string) string { return fmt.Sprintf(releaseURL, PinnedVersion, name) },
		npm: npmPack, wheels: openVINOWheels, pip: pipDownload, retryPause: 2 * time.Second,
	}
	flavor, err := i.install(ctx)
	if err != nil {
		return Library{}, err
	}
	if path := os.Getenv(EnvLibrary); path != "" {
		i.log("note: %s=%s goes before what was installed", EnvLibrary, path)
	}
	return i.load(flavor)
}

// installer is Install with its surroundings, which tests replace.
type installer struct {
	InstallOptions
	dir        string // of the pinned version in the cache
	platform   string // GOOS/GOARCH
	releases   map[string]map[string]archive
	members    map[string][]member
	url        func(archive string) string
	npm        func(ctx context.Context, spec, dir string) (string, error)
	wheels     map[string]wheel
	pip        func(ctx context.Context, spec string, w wheel, dir string) (string, error)
	retryPause time.Duration
}

func (i *installer) log(format string, args ...any) {
	if i.Log != nil {
		i.Log(fmt.Sprintf(format, args...))
	}
}

// install returns the flavor that is in the cache afterwards.
func (i *installer) install(ctx context.Context) (string, error) {
	switch {
	case i.fromFile() && (i.GPU || i.CUDA != 0):
		return "", fmt.Errorf("from %q: the file's hash says which build it is", i.From)
	case i.GPU && i.From == "npm":
		return "", errors.New("the npm package has no CUDA: use --from release with --gpu")
	case i.OpenVINO && (i.GPU || i.CUDA != 0 || !slices.Contains([]string{"", "auto"}, i.From)):
		return "", fmt.Errorf("the build with OpenVINO comes in the package %s alone, or as its file, whose hash says what it is", openVINOPackage)
	case i.CUDA != 0 && i.CUDA != 12 && i.CUDA != 13:
		return "", fmt.Errorf("cuda %d: want 12 or 13", i.CUDA)
	}
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return "", err
	}
	i.sweep()
	if i.fromFile() {
		flavor, fetch, err := i.ofFile(ctx, i.From)
		if err != nil {
			return "", fmt.Errorf("from (auto, release, npm or a file): %w", err)
		}
		return flavor, i.ensure(ctx, flavor, fetch)
	}
	if i.OpenVINO {
		return openVINOFlavor, i.ensure(ctx, openVINOFlavor, i.fromPip)
	}
	if i.From == "npm" {
		return "npm", i.ensure(ctx, "npm", i.fromNPM)
	}
	flavor := i.releaseFlavor()
	if i.From != "release" && !i.GPU && i.verify(ctx, flavor) != nil && i.verify(ctx, "npm") == nil {
		return "npm", i.ensure(ctx, "npm", i.fromNPM) // either will do, and one is there
	}
	err := i.ensure(ctx, flavor, i.fromRelease)
	if err == nil || ctx.Err() != nil || errors.Is(err, filelock.ErrLocked) {
		return flavor, err // no other way should follow: the user ended it, or another process is at work on the same
	}
	if i.From == "release" || i.GPU {
		return "", fmt.Errorf("%w; or download the archive where you can, and then: graft setup --from FILE", err)
	}
	i.log("the official release cannot be had: %v", err)
	i.log("trying the npm package %s instead", npmPackage)
	if npmErr := i.ensure(ctx, "npm", i.fromNPM); npmErr != nil {
		return "", fmt.Errorf("neither way worked:\n  release: %w\n  npm: %w\nelsewhere fetch %s, or the .tgz of 'npm pack %s@%s', bring it here, and then: graft setup --from FILE; or set %s to a library of your own",
			err, npmErr, i.url(i.releases[i.platform][flavor].name), npmPackage, PinnedVersion, EnvLibrary)
	}
	return "npm", nil
}

// fromFile tells whether the user brought a file.
func (i *installer) fromFile() bool {
	return !slices.Contains([]string{"", "auto", "release", "npm"}, i.From)
}

func (i *installer) releaseFlavor() string {
	if !i.GPU {
		return "release"
	}
	if i.CUDA == 0 {
		i.CUDA = cudaMajor()
	}
	return fmt.Sprintf("release-cuda%d", i.CUDA)
}

// cudaMajor is the version of the CUDA runtime on this machine; 12, which more
// drivers support, where none or both are found.
func cudaMajor() int {
	dirs := append(systemDirs(), "/usr/local/cuda/lib64", "/usr/local/cuda/targets/x86_64-linux/lib")
	has := func(name string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		})
	}
	if has("libcudart.so.13") && !has("libcudart.so.12") {
		return 13
	}
	return 12
}

// ensure fills the flavor's folder with fetch, which returns what it wrote into
// a temporary folder, unless the folder is whole already.
func (i *installer) ensure(ctx context.Context, flavor string, fetch fetcher) error {
	target := filepath.Join(i.dir, flavor)
	old := i.verify(ctx, flavor)
	if old == nil {
		i.log("ONNX Runtime %s (%s) is already in %s", versionOf(flavor), flavor, target)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(old, os.ErrNotExist) {
		i.log("installing again: %v", old)
	}
	temp, err := os.MkdirTemp(i.dir, atomicfile.TempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	content := filepath.Join(temp, "content")
	if err := os.Mkdir(content, 0o755); err != nil {
		return err
	}
	m, err := fetch(ctx, flavor, content)
	if err != nil {
		return err
	}
	data, err := schema.Marshal("graft-runtime-1", m, "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(content, manifestName), data); err != nil {
		return err
	}
	if err := i.verifyIn(ctx, content, flavor); err != nil {
		return err
	}
	return i.moveIn(ctx, content, flavor, temp)
}

// moveIn gives the finished folder its name. Another process may have been
// faster: its folder is as good.
func (i *installer) moveIn(ctx context.Context, content, flavor, temp string) error {
	target := filepath.Join(i.dir, flavor)
	err := os.Rename(content, target)
	if err != nil {
		if i.verify(ctx, flavor) == nil {
			return nil
		}
		if moveErr := os.Rename(target, filepath.Join(temp, "broken")); moveErr != nil {
			return errors.Join(err, moveErr)
		}
		if err = os.Rename(content, target); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(i.dir)
}

// sweep removes what installs that were killed left behind.
func (i *installer) sweep() {
	old, _ := filepath.Glob(filepath.Join(i.dir, atomicfile.TempPrefix+"*"))
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir)
		}
	}
}

// load checks that the installed library works.
func (i *installer) load(flavor string) (Library, error) {
	dir := filepath.Join(i.dir, flavor)
	found := appendLibraries(nil, dir, inCache, flavor)
	if len(found) == 0 {
		return Library{}, fmt.Errorf("%s holds no library", dir)
	}
	lib, err := inspect(found[0])
	if err != nil {
		return Library{}, fmt.Errorf("%s is installed and does not load: %w", found[0].path, err)
	}
	if want := versionOf(flavor); lib.Version != want {
		return Library{}, fmt.Errorf("%s is version %s, want %s", lib.Path, lib.Version, want)
	}
	return lib, nil
}

// verify is verify of a flavor's folder.
func (i *installer) verify(ctx context.Context, flavor string) error {
	return i.verifyIn(ctx, filepath.Join(i.dir, flavor), flavor)
}

func (i *installer) verifyIn(ctx context.Context, dir, flavor string) error {
	known := pinned{i.releases[i.platform], i.members[i.platform], i.wheels[i.platform].members}
	return verify(dir, flavor, known, func(path string) (string, error) { return filehash.File(ctx, path) })
}

// pinned are the hashes that this program holds for one platform.
type pinned struct {
	releases map[string]archive // by flavor
	npm      []member
	openVINO []member
}

// files are the hashes of what belongs into a flavor's folder, by name. Of an official release the archive's alone is
// pinned: it lies in the folder too, and tells those of what came out of it.
func (p pinned) files(dir, flavor string, hash func(path string) (string, error)) (map[string]string, error) {
	members := map[string][]member{"npm": p.npm, openVINOFlavor: p.openVINO}[flavor]
	if a, ok := p.releases[flavor]; ok {
		path := filepath.Join(dir, a.name)
		got, err := hash(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: %s, which tells the hashes of the files, is not there, as an earlier graft did not keep it: run graft setup", dir, a.name)
		}
		if err != nil {
			return nil, err
		}
		if got != a.sha256 {
			return nil, fmt.Errorf("%s: SHA-256 %s, want %s", path, got, a.sha256)
		}
		return releaseSums(path)
	}
	if len(members) == 0 {
		return nil, fmt.Errorf("%s: no SHA-256 of %s is pinned for this platform", dir, flavor)
	}
	files := map[string]string{}
	for _, m := range members {
		files[path.Base(m.path)] = m.sha256
	}
	return files, nil
}

// verify compares the files of an install folder with the hashes that are pinned: nil where they are there, unharmed, alone,
// and of the flavor's version, which dir need not name. What the record beside them says of hashes counts for nothing: who
// changed a library may have changed that too.
func verify(dir, flavor string, known pinned, hash func(path string) (string, error)) error {
	record := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(record)
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%s: %w", record, err)
	}
	if want := versionOf(flavor); m.Version != want {
		return fmt.Errorf("%s: version %s, want %s", record, m.Version, want)
	}
	files, err := known.files(dir, flavor, hash)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // the loader may take whatever has a library's name
		if name := e.Name(); files[name] == "" && name != manifestName && name != known.releases[flavor].name {
			return fmt.Errorf("%s is none of the files that graft setup puts there", filepath.Join(dir, name))
		}
	}
	for name, want := range files {
		got, err := hash(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s: SHA-256 %s, want %s", filepath.Join(dir, name), got, want)
		}
	}
	return nil
}

// fromRelease downloads and unpacks the official archive.
func (i *installer) fromRelease(ctx context.Context, flavor, dir string) (manifest, error) {
	a, ok := i.releases[i.platform][flavor]
	if !ok {
		return manifest{}, fmt.Errorf("no SHA-256 is pinned for the official release's %s build for %s, and nothing is installed unverified; use 'graft setup --from npm', or download it yourself and set %s", flavor, i.platform, EnvLibrary)
	}
	i.log("downloading %s", i.url(a.name))
	m := manifest{Version: PinnedVersion, Source: i.url(a.name)}
	err := i.withArchive(ctx, a, dir, func(path string) (err error) {
		if m.Files, err = unpackRelease(path, dir); err != nil {
			return fmt.Errorf("unpack %s: %w", a.name, err)
		}
		return nil
	})
	return m, err
}

// fromNPM takes the library out of the npm package.
func (i *installer) fromNPM(ctx context.Context, _, dir string) (manifest, error) {
	want, ok := i.members[i.platform]
	if !ok {
		return manifest{}, fmt.Errorf("the npm package %s has no library for %s; set %s to one of your own", npmPackage, i.platform, EnvLibrary)
	}
	spec := npmPackage + "@" + PinnedVersion
	i.log("running npm pack %s", spec)
	path, err := i.npm(ctx, spec, filepath.Dir(dir))
	if err != nil {
		return manifest{}, err
	}
	files, err := unpackMembers(path, dir, want)
	if err != nil {
		return manifest{}, fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	return manifest{Version: PinnedVersion, Source: "npm " + spec, Files: files}, os.Remove(path)
}
