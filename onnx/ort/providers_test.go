package ort

import (
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestProviderSettings(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/cache")
	t.Setenv("HOME", "/home/user")
	tests := []struct {
		o    Options
		want map[string]string // nil for an error
	}{
		{Options{Provider: CPU}, map[string]string{}},
		{Options{Provider: CUDA, Device: 2}, map[string]string{"device_id": "2", "use_tf32": "0"}},
		{Options{Provider: CUDA, ProviderOptions: map[string]string{"use_tf32": "1", "gpu_mem_limit": "9"}},
			map[string]string{"device_id": "0", "use_tf32": "1", "gpu_mem_limit": "9"}},
		{Options{Provider: WebGPU}, map[string]string{}},
		{Options{Provider: WebGPU, Device: 1}, nil},
		{Options{Provider: CoreML}, map[string]string{"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}},
		{Options{Provider: CoreML, Device: 1}, nil},
		{Options{Provider: DirectML, Device: 1}, map[string]string{"device_id": "1"}},
		{Options{Provider: OpenVINO}, map[string]string{"device_type": "CPU"}},
		{Options{Provider: OpenVINO, Device: 2}, map[string]string{"device_type": "GPU.1"}},
	}
	for _, tt := range tests {
		got, err := providerSettings(tt.o)
		if (err != nil) != (tt.want == nil) || !maps.Equal(got, tt.want) {
			t.Errorf("%+v: got %v, %v; want %v", tt.o, got, err, tt.want)
		}
	}
	if runtime.GOOS == "linux" {
		got, err := providerSettings(Options{Provider: TensorRT, Device: 1})
		if want := filepath.Join("/cache", "graft", "tensorrt"); err != nil || got["trt_engine_cache_path"] != want || got["device_id"] != "1" {
			t.Errorf("tensorrt: got %v, %v; want engines in %s", got, err, want)
		}
	}
}

func TestParseProvider(t *testing.T) {
	for word, want := range map[string]Provider{"": Auto, "auto": Auto, "CUDA": CUDA, "cpu": CPU, "openvino": OpenVINO} {
		if got, err := ParseProvider(word); err != nil || got != want {
			t.Errorf("ParseProvider(%q) = %q, %v; want %q", word, got, err, want)
		}
	}
	if _, err := ParseProvider("rocm"); err == nil || !strings.Contains(err.Error(), "tensorrt") {
		t.Errorf("rocm: got %v, want an error that lists the providers", err)
	}
}

// What ONNX Runtime says, and what the user reads.
func TestExplain(t *testing.T) {
	const at = "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1962 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : "
	tests := []struct {
		p          Provider
		says, want string
		notInBuild bool
	}{
		{CUDA, at + "Failed to load library /c/libonnxruntime_providers_shared.so with error: /c/libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory", "graft setup --gpu", true},
		{CUDA, at + "Failed to load library /c/libonnxruntime_providers_cuda.so with error: libcudnn.so.9: cannot open shared object file: No such file or directory", "libcudnn.so.9 not found; it comes with cuDNN 9", false},
		{CUDA, at + "Failed to load library /c/libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file or directory", "cuda-libraries-12", false},
		{TensorRT, at + "Failed to load library /c/libonnxruntime_providers_tensorrt.so with error: libnvinfer.so.10: cannot open shared object file: No such file or directory", "TensorRT 10", false},
		{CUDA, "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0", "nvidia-smi", false},
		{CUDA, "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.", "--allow-fallback", false},
		{WebGPU, "webgpu_context.cc:65 status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters", "Vulkan", false},
		{WebGPU, "WebGPU execution provider is not supported in this build. ", "graft setup --from npm", true},
		{OpenVINO, "SessionOptionsAppendExecutionProvider_OpenVINO_V2: Failed to load shared library", EnvLibrary, true},
		{CPU, at + "Load model failed", "provider cpu: Load model failed", false},
	}
	for _, tt := range tests {
		said := errors.New(tt.says)
		err := explain(tt.p, said)
		if !strings.HasPrefix(err.Error(), "provider "+string(tt.p)) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "onnxruntime_src") {
			t.Errorf("%s: got %q, want %q in it", tt.says, err, tt.want)
		}
		if errors.Is(err, errNotInBuild) != tt.notInBuild || !errors.Is(err, said) {
			t.Errorf("%s: not in build: %v, want %v", tt.says, !tt.notInBuild, tt.notInBuild)
		}
	}
}

func TestThreads(t *testing.T) {
	if got := (Options{Threads: 3}).threads(); got != 3 {
		t.Errorf("3 threads asked for, got %d", got)
	}
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	if runtime.NumCPU() > 1 {
		runtime.GOMAXPROCS(1)
		if got := (Options{}).threads(); got != 1 {
			t.Errorf("with GOMAXPROCS 1: %d threads, want 1", got)
		}
	}
	runtime.GOMAXPROCS(runtime.NumCPU())
	if got := (Options{}).threads(); got != 0 {
		t.Errorf("with all CPUs: %d, want 0, ONNX Runtime's own choice", got)
	}
}
