package ort

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"graft/onnx/session"
)

// errNotInBuild is wrapped where the library does not have the provider at all.
var errNotInBuild = errors.New("this build of ONNX Runtime does not have it")

var (
	missingLibrary = regexp.MustCompile(`(lib[\w+-]+\.so[.\d]*): cannot open shared object file`)
	// sourceNoise is where in its source ONNX Runtime failed, down to the reason.
	sourceNoise = regexp.MustCompile(`(?s)^.*(was false\. |\[ONNXRuntimeError\] : \d+ : \w+ : )`)
)

// libraryPackages says where the libraries that GPU providers need come from.
var libraryPackages = []struct{ prefix, from string }{
	{"libcudnn", "cuDNN 9: for instance the package libcudnn9-cuda-12 of NVIDIA's repository"},
	{"libcuda.", "the NVIDIA driver"},
	{"libcu", "the CUDA runtime: for instance the package cuda-libraries-12-9 of NVIDIA's repository"},
	{"libnv", "TensorRT 10: for instance the packages libnvinfer10 and libnvonnxparsers10 of NVIDIA's repository"},
}

// providerError is an error of ONNX Runtime in words that lead out.
type providerError struct {
	text    string
	reasons []error // ONNX Runtime's own, and errNotInBuild where it is that
}

func (e *providerError) Error() string   { return e.text }
func (e *providerError) Unwrap() []error { return e.reasons }

// withHint adds the way out to a provider's error.
func withHint(p session.Provider, err error) error {
	msg, hint := err.Error(), ""
	lib := missingLibrary.FindStringSubmatch(msg)
	switch {
	case lib != nil && strings.HasPrefix(lib[1], "libonnxruntime_providers"),
		lib == nil && contains(msg, "not enabled in this build", "not supported in this build", "provider is not supported",
			"does not support coreml", "openvino_v2: failed to load", "not available in this build"):
		return &providerError{fmt.Sprintf("provider %s: %s", p, notInBuild(p)), []error{err, errNotInBuild}}
	case lib != nil:
		hint = missingLibraryHint(lib[1])
	default:
		hint = messageHint(msg)
	}
	text := strings.TrimSpace(sourceNoise.ReplaceAllString(msg, ""))
	if hint != "" {
		text = fmt.Sprintf("%s (ONNX Runtime says: %s)", hint, text)
	}
	return &providerError{fmt.Sprintf("provider %s: %s", p, text), []error{err}}
}

func contains(msg string, words ...string) bool {
	msg = strings.ToLower(msg)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(msg, w) })
}

func missingLibraryHint(name string) string {
	for _, l := range libraryPackages {
		if strings.HasPrefix(name, l.prefix) {
			return fmt.Sprintf("%s not found; it comes with %s", name, l.from)
		}
	}
	return name + " not found"
}

func messageHint(msg string) string {
	switch {
	case contains(msg, "fallback to cpu ep has been explicitly disabled"):
		return "it cannot run every node of this model; --allow-fallback lets the CPU run the rest"
	case contains(msg, "driver version is insufficient", "no cuda-capable device", "cuda failure 35", "cuda failure 100"):
		return "no usable NVIDIA card or driver (does nvidia-smi work?)"
	case contains(msg, "webgpu adapter", "no supported adapters"):
		return "no graphics adapter found; on Linux it needs a card with a Vulkan driver"
	}
	return ""
}

// notInBuild says how to get a library that has the provider.
func notInBuild(p session.Provider) string {
	text := errNotInBuild.Error()
	switch {
	case p == session.DirectML && runtime.GOOS != "windows":
		return text + ": it exists on Windows only"
	case p == session.CoreML && runtime.GOOS != "darwin":
		return text + ": it exists on macOS only"
	case (p == session.CUDA || p == session.TensorRT) && runtime.GOOS != "darwin":
		return text + "; 'graft setup --gpu' installs one that does"
	case p == session.WebGPU || p == session.DirectML:
		return text + "; 'graft setup --from npm' installs one that does"
	}
	if p == session.OpenVINO && len(openVINOLibraries()) > 0 {
		return text + "; another that does lies beside it, which a process loads that is started with --provider openvino"
	} else if p == session.OpenVINO {
		return text + "; 'graft setup --openvino' installs one that does"
	}
	return text + "; set " + EnvLibrary + " to one that does"
}
