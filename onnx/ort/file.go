package ort

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"graft/internal/filehash"
)

// fetcher fills an install folder of a flavor and says what with.
type fetcher func(ctx context.Context, flavor, dir string) (manifest, error)

// ofFile tells by the hash what a file is that the user brought, for a machine without a network, and how it is unpacked:
// an official archive, the npm package, whose members are pinned, or the library in that, or the wheel with OpenVINO. The
// name says nothing.
func (i *installer) ofFile(ctx context.Context, file string) (flavor string, fetch fetcher, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", nil, err
	}
	if !info.Mode().IsRegular() {
		return "", nil, fmt.Errorf("%s is not a regular file; want an archive with ONNX Runtime %s, or its library", file, PinnedVersion)
	}
	sum, err := filehash.File(ctx, file)
	if err != nil {
		return "", nil, err
	}
	for flavor, a := range i.releases[i.platform] {
		if a.sha256 == sum {
			return flavor, i.unpacked(file, func(file, dir string) (map[string]string, error) {
				files, err := unpackRelease(file, dir)
				if err != nil {
					return nil, err
				}
				return files, copyFile(file, filepath.Join(dir, a.name))
			}), nil
		}
	}
	if w, ok := i.wheels[i.platform]; ok && w.sha256 == sum {
		return openVINOFlavor, i.unpackedMembers(file, w.members), nil
	}
	members := i.members[i.platform]
	if len(members) == 1 && members[0].sha256 == sum {
		return "npm", i.unpacked(file, func(file, dir string) (map[string]string, error) {
			name := path.Base(members[0].path)
			return map[string]string{name: sum}, copyFile(file, filepath.Join(dir, name))
		}), nil
	}
	if kind, err := archiveKind(file); err != nil || kind == "" || len(members) == 0 {
		return "", nil, fmt.Errorf("%s: SHA-256 %s is none that graft was tested with on %s: want the archive of the official release %s, the .tgz of 'npm pack %s@%s', the library in that, or the wheel of %s %s",
			file, sum, i.platform, PinnedVersion, npmPackage, PinnedVersion, openVINOPackage, openVINOVersion)
	}
	return "npm", i.unpackedMembers(file, members), nil
}

// unpackedMembers is unpacked of a package.
func (i *installer) unpackedMembers(file string, members []member) fetcher {
	return i.unpacked(file, func(file, dir string) (map[string]string, error) { return unpackMembers(file, dir, members) })
}

// unpacked is a fetcher of a file that is here.
func (i *installer) unpacked(file string, unpack func(file, dir string) (map[string]string, error)) fetcher {
	return func(_ context.Context, flavor, dir string) (m manifest, err error) {
		m = manifest{Version: versionOf(flavor), Source: "file " + filepath.Base(file)}
		if m.Files, err = unpack(file, dir); err != nil {
			err = fmt.Errorf("unpack %s: %w", file, err)
		}
		return m, err
	}
}

// copyFile copies a library or an archive.
func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = writeMember(to, f, maxUnpackedBytes)
	return err
}
