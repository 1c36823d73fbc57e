package ort

import (
	"fmt"
	"os"
	"path/filepath"
)

// PinnedVersion is the version of ONNX Runtime that Install installs and that
// graft is tested with.
const PinnedVersion = "1.25.1"

// flavors are the builds that Install can put into the cache, in the order in
// which Find prefers them: who asked for a CUDA build wants it used. OpenVINO's goes first where it is wanted.
var flavors = []string{"release-cuda13", "release-cuda12", "release", "npm", openVINOFlavor}

// versionOf is the version of a flavor's library.
func versionOf(flavor string) string {
	if flavor == openVINOFlavor {
		return openVINOVersion
	}
	return PinnedVersion
}

// archive is a file of the official release and its SHA-256.
type archive struct {
	name, sha256 string
}

// releases holds the official archives of PinnedVersion whose hash is known, by
// GOOS/GOARCH and flavor. What is not here is not downloaded from the release.
var releases = map[string]map[string]archive{
	"linux/amd64": {
		"release":        {"onnxruntime-linux-x64-1.25.1.tgz", "eb566a49cfc49ef0642f809b69340b5bb656c7c4905ba873526d226f2c005816"},
		"release-cuda12": {"onnxruntime-linux-x64-gpu-1.25.1.tgz", "ddfc4ca4ccc9cd5345d3820edab710ee84e749569d052eed92c42693d3b448a8"},
		"release-cuda13": {"onnxruntime-linux-x64-gpu_cuda13-1.25.1.tgz", "ebc14e1290db2a30a7bb415bd1c3e1390a7816bb4db87677dc36d071ed22833c"},
	},
	"linux/arm64": {
		"release": {"onnxruntime-linux-aarch64-1.25.1.tgz", "daa71b56b00c4ab34798a3d96ca41a32ece4d3e302dc2386d3cca83fd4491214"},
	},
	"darwin/arm64": {
		"release": {"onnxruntime-osx-arm64-1.25.1.tgz", "18987ec3187b5f29ba798109750f6135060560ad4e0a52678fcc753ee8fb3091"},
	},
	"windows/amd64": {
		"release": {"onnxruntime-win-x64-1.25.1.zip", "33f2e8a63774811f99a5fc224cac32f4eed8c27643d46c6cc685319fa8f18019"},
	},
}

// releaseURL is where an official archive of a version lies.
const releaseURL = "https://github.com/microsoft/onnxruntime/releases/download/v%s/%s"

// member is a file inside the npm package and its SHA-256.
type member struct {
	path, sha256 string
}

// npmPackage holds the libraries for every platform that it supports.
const npmPackage = "onnxruntime-node"

// npmMembers are the files to take from the npm package of PinnedVersion, by
// GOOS/GOARCH. The WebGPU provider is part of the library itself; on Windows it
// needs the two DirectX compilers, and DirectML its own library.
var npmMembers = map[string][]member{
	"linux/amd64": {{"package/bin/napi-v6/linux/x64/libonnxruntime.so.1", "18a8c9d6897f81d865728ffb2362536499739cb9cd1b62ed94f4aaccd9323ad7"}},
	"linux/arm64": {{"package/bin/napi-v6/linux/arm64/libonnxruntime.so.1", "e34095ad2791f1f05ed17324ede7873b4fdb4c136b3ba3f1dd5093d2e76d4192"}},
	"darwin/arm64": {
		{"package/bin/napi-v6/darwin/arm64/libonnxruntime.1.25.1.dylib", "5d1d0b59ca0bb6bd9912e1de23c1bb707aaaf66498d2f3e038616578e25b0cfd"},
	},
	"windows/amd64": {
		{"package/bin/napi-v6/win32/x64/onnxruntime.dll", "1a2a38976d2d631bbfdd262daaddcf1de6e1a914705a354e49d9b875739ff959"},
		{"package/bin/napi-v6/win32/x64/DirectML.dll", "a3009f789704ca0d338ccdd33af66185e45f170a54ccc001087b3c0f3ea84928"},
		{"package/bin/napi-v6/win32/x64/dxcompiler.dll", "1eea9f88b901fe97cb80a77dbfb228c0882dd822869b2a71538eb23071e619d7"},
		{"package/bin/napi-v6/win32/x64/dxil.dll", "6dcdfce48cd0280e5889d90d154b0886bdc4ab9d474fd7a3ed5034139a2e4387"},
	},
	"windows/arm64": {
		{"package/bin/napi-v6/win32/arm64/onnxruntime.dll", "fba7c0fc1ca957eac3e8e37d11005e26620f7571c46a21f3da0402780bb06e35"},
		{"package/bin/napi-v6/win32/arm64/DirectML.dll", "10b3f531f68aa558d2430c805957e691a5cde8a36e4d0d4c69ae6f3b9f2fa242"},
		{"package/bin/napi-v6/win32/arm64/dxcompiler.dll", "5b9d1824da866d37382ef0d22be1cc0126d376f2bd5565af2d6938ff9644c667"},
		{"package/bin/napi-v6/win32/arm64/dxil.dll", "458cc156e14b02a510f876beb7a7235ef810a41263830108593a8d3c726889da"},
	},
}

// cacheDir is the folder of the user's cache that Install fills.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for caches: %w (set HOME or XDG_CACHE_HOME)", err)
	}
	return filepath.Join(base, "graft", "onnxruntime"), nil
}

// The build with OpenVINO comes in a package for Python, through pip, with OpenVINO's own libraries inside. The libraries
// are those of any Python's wheel, so one is pinned, by GOOS/GOARCH.
const (
	openVINOFlavor  = "openvino"
	openVINOPackage = "onnxruntime-openvino"
	openVINOVersion = "1.24.1"
)

// wheel is a package's file for one Python and platform, in the words of pip's options, and what is taken out of it: the
// libraries by the names that they ask each other for, not Python's own.
type wheel struct {
	archive
	python, platform string
	members          []member
}

const inWheel = "onnxruntime/capi/"

var openVINOWheels = map[string]wheel{
	"linux/amd64": {archive{"onnxruntime_openvino-1.24.1-cp311-cp311-manylinux_2_28_x86_64.whl", "3007c803634cc69c6d52af1dea7ce729d9bb62b9a11070fd2f959119199007a8"},
		"311", "manylinux_2_28_x86_64", []member{
			{inWheel + "libonnxruntime.so.1.24.1", "2d963a419b96018b79dfe63bb50120ddcb724149912a8a6d8ac747a557c089f4"},
			{inWheel + "libonnxruntime_providers_openvino.so", "bf0159d2681d76e7de03fbd302a9204e5490f30816bd41826d57acf7a8dff363"},
			{inWheel + "libonnxruntime_providers_shared.so", "5e02c1ff90e7d71365264dbb6767c00f04a8b57a96cddbc0085c61fa1393250d"},
			{inWheel + "libopenvino.so.2541", "ac9634b715a242a61644c77bc38f17508fe73f517e418027e2410f4bee004943"},
			{inWheel + "libopenvino_intel_cpu_plugin.so", "034df890550ae9199fe5f8608c0df8fd0fe355f303bad56bea10bae14c14c3cb"},
			{inWheel + "libopenvino_intel_gpu_plugin.so", "5575d03f4a168b257461b83089bc2d0ae7a41ebc1b5ab6b591d26f09c4a3635e"},
			{inWheel + "libopenvino_onnx_frontend.so.2541", "f426710881d8c1a01d5ed6d7eaa076d923b19983d3ab3a18bb19d25dba7d8923"},
			{inWheel + "libtbb.so.12", "6781dc6aa8b2ca237d0164258e70266a44667756c02a9a039782ec1d1a67b653"},
		}},
}
