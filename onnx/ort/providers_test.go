//go:build cgo

package ort

import (
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"graft/onnx/session"
)

// TestEveryProviderIsKnown: the providers' names lie elsewhere than how each starts. Go is another engine's.
func TestEveryProviderIsKnown(t *testing.T) {
	for _, p := range session.Providers() {
		if p == session.Go {
			if err := attach(nil, session.Options{Provider: p}); err == nil || !strings.Contains(err.Error(), "go is not ONNX Runtime's") {
				t.Errorf("provider %s: %v", p, err)
			}
			continue
		}
		if specs[p].settings == nil || (specs[p].attach == nil) != (p == session.CPU) {
			t.Errorf("provider %s cannot be started", p)
		}
	}
}

func TestProviderSettings(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/cache")
	t.Setenv("HOME", "/home/user")
	tests := []struct {
		o    session.Options
		want map[string]string // nil for an error
	}{
		{session.Options{Provider: session.CPU}, map[string]string{}},
		{session.Options{Provider: session.CUDA, Device: 2}, map[string]string{"device_id": "2", "use_tf32": "0"}},
		{session.Options{Provider: session.CUDA, ProviderOptions: map[string]string{"use_tf32": "1", "gpu_mem_limit": "9"}},
			map[string]string{"device_id": "0", "use_tf32": "1", "gpu_mem_limit": "9"}},
		{session.Options{Provider: session.WebGPU}, map[string]string{}},
		{session.Options{Provider: session.WebGPU, Device: 1}, nil},
		{session.Options{Provider: session.CoreML}, map[string]string{"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}},
		{session.Options{Provider: session.CoreML, Device: 1}, nil},
		{session.Options{Provider: session.DirectML, Device: 1}, map[string]string{"device_id": "1"}},
		{session.Options{Provider: session.OpenVINO}, map[string]string{"device_type": "CPU"}},
		{session.Options{Provider: session.OpenVINO, Device: 2}, map[string]string{"device_type": "GPU.1"}},
	}
	for _, tt := range tests {
		got, err := providerSettings(tt.o)
		if (err != nil) != (tt.want == nil) || !maps.Equal(got, tt.want) {
			t.Errorf("%+v: got %v, %v; want %v", tt.o, got, err, tt.want)
		}
	}
	if runtime.GOOS == "linux" {
		got, err := providerSettings(session.Options{Provider: session.TensorRT, Device: 1})
		if want := filepath.Join("/cache", "graft", "tensorrt"); err != nil || got["trt_engine_cache_path"] != want || got["device_id"] != "1" {
			t.Errorf("tensorrt: got %v, %v; want engines in %s", got, err, want)
		}
	}
}

// What ONNX Runtime says, and what the user reads.
func TestHints(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // where OpenVINO's library may be installed
	const at = "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1962 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : "
	tests := []struct {
		p          session.Provider
		says, want string
		notInBuild bool
	}{
		{session.CUDA, at + "Failed to load library /c/libonnxruntime_providers_shared.so with error: /c/libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory", "graft setup --gpu", true},
		{session.CUDA, at + "Failed to load library /c/libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open shared object file: No such file or directory", "libcudnn.so.9 not found; it comes with cuDNN 9", false},
		{session.CUDA, at + "Failed to load library /c/libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file or directory", "cuda-libraries-12", false},
		{session.TensorRT, at + "Failed to load library /c/libonnxruntime_providers_tensorrt.so with error: libnvinfer.so.10: cannot open shared object file: No such file or directory", "TensorRT 10", false},
		{session.CUDA, "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0", "nvidia-smi", false},
		{session.CUDA, "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.", "--allow-fallback", false},
		{session.WebGPU, "webgpu_context.cc:65 status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters", "Vulkan", false},
		{session.WebGPU, "WebGPU execution provider is not supported in this build. ", "graft setup --from npm", true},
		{session.OpenVINO, "SessionOptionsAppendExecutionProvider_OpenVINO_V2: Failed to load shared library", "graft setup --openvino", true},
		{session.CPU, at + "Load model failed", "provider cpu: Load model failed", false},
	}
	for _, tt := range tests {
		said := errors.New(tt.says)
		err := withHint(tt.p, said)
		if !strings.HasPrefix(err.Error(), "provider "+string(tt.p)) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "onnxruntime_src") {
			t.Errorf("%s: got %q, want %q in it", tt.says, err, tt.want)
		}
		if errors.Is(err, errNotInBuild) != tt.notInBuild || !errors.Is(err, said) {
			t.Errorf("%s: not in build: %v, want %v", tt.says, !tt.notInBuild, tt.notInBuild)
		}
	}
}
