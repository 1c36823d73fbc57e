//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx/session"
)

// spec is how one provider is attached to a session.
type spec struct {
	// settings are graft's defaults in the provider's own words.
	settings func(o session.Options) (map[string]string, error)
	attach   func(s *native.SessionOptions, settings map[string]string) error
}

var specs = map[session.Provider]spec{
	session.CPU:      {settings: noSettings},
	session.CUDA:     {cudaSettings, attachCUDA},
	session.TensorRT: {tensorRTSettings, attachTensorRT},
	session.WebGPU:   {onlyDevice0(session.WebGPU), attachNamed("WebGPU")},
	session.CoreML:   {coreMLSettings, (*native.SessionOptions).AppendExecutionProviderCoreMLV2},
	session.DirectML: {directMLSettings, attachDirectML},
	session.OpenVINO: {openVINOSettings, (*native.SessionOptions).AppendExecutionProviderOpenVINO},
}

func noSettings(session.Options) (map[string]string, error) { return map[string]string{}, nil }

// cudaSettings keeps products in float32: the default on recent cards, TF32,
// has ten bits of mantissa and would change features in the third digit.
func cudaSettings(o session.Options) (map[string]string, error) {
	return map[string]string{"device_id": strconv.Itoa(o.Device), "use_tf32": "0"}, nil
}

// tensorRTSettings keep the engines, which take minutes to build, in the user's
// cache.
func tensorRTSettings(o session.Options) (map[string]string, error) {
	s := map[string]string{"device_id": strconv.Itoa(o.Device)}
	if base, err := os.UserCacheDir(); err == nil {
		s["trt_engine_cache_enable"] = "1"
		s["trt_engine_cache_path"] = filepath.Join(base, "graft", "tensorrt")
	}
	return s, nil
}

// coreMLSettings keep to units that compute in float32: the neural engine does
// not.
func coreMLSettings(o session.Options) (map[string]string, error) {
	if o.Device != 0 {
		return nil, errors.New("coreml chooses the device itself: leave --device at 0")
	}
	return map[string]string{"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}, nil
}

func directMLSettings(o session.Options) (map[string]string, error) {
	return map[string]string{"device_id": strconv.Itoa(o.Device)}, nil
}

// openVINOSettings choose the CPU for device 0 and the GPUs after it.
func openVINOSettings(o session.Options) (map[string]string, error) {
	if o.Device == 0 {
		return map[string]string{"device_type": "CPU"}, nil
	}
	return map[string]string{"device_type": fmt.Sprintf("GPU.%d", o.Device-1)}, nil
}

func onlyDevice0(p session.Provider) func(session.Options) (map[string]string, error) {
	return func(o session.Options) (map[string]string, error) {
		if o.Device != 0 {
			return nil, fmt.Errorf("%s chooses the device itself: leave --device at 0", p)
		}
		return map[string]string{}, nil
	}
}

func attachNamed(name string) func(*native.SessionOptions, map[string]string) error {
	return func(s *native.SessionOptions, settings map[string]string) error {
		return s.AppendExecutionProvider(name, settings)
	}
}

func attachCUDA(s *native.SessionOptions, settings map[string]string) error {
	o, err := native.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer o.Destroy()
	if err := o.Update(settings); err != nil {
		return err
	}
	return s.AppendExecutionProviderCUDA(o)
}

func attachTensorRT(s *native.SessionOptions, settings map[string]string) error {
	o, err := native.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer o.Destroy()
	if err := o.Update(settings); err != nil {
		return err
	}
	if err := s.AppendExecutionProviderTensorRT(o); err != nil {
		return err
	}
	if dir := settings["trt_engine_cache_path"]; dir != "" {
		return os.MkdirAll(dir, 0o755)
	}
	return nil
}

// attachDirectML also turns off what DirectML cannot work with.
func attachDirectML(s *native.SessionOptions, settings map[string]string) error {
	device, err := strconv.Atoi(settings["device_id"])
	if err != nil {
		return fmt.Errorf("device_id %q is no number", settings["device_id"])
	}
	return errors.Join(s.SetMemPattern(false), s.SetExecutionMode(native.ExecutionModeSequential), s.AppendExecutionProviderDirectML(device))
}

// providerSettings are graft's settings for o.Provider with the caller's over
// them.
func providerSettings(o session.Options) (map[string]string, error) {
	s, err := specs[o.Provider].settings(o)
	if err != nil {
		return nil, err
	}
	maps.Copy(s, o.ProviderOptions)
	return s, nil
}

// attach adds the provider that o names to the session's options.
func attach(s *native.SessionOptions, o session.Options) error {
	sp := specs[o.Provider]
	if sp.attach == nil {
		return nil
	}
	settings, err := providerSettings(o)
	if err != nil {
		return err
	}
	if err := sp.attach(s, settings); err != nil {
		return err
	}
	if !o.AllowFallback {
		return s.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1")
	}
	if o.Provider != session.TensorRT {
		return nil
	}
	// What TensorRT leaves is better off on the same card than on the CPU.
	cuda, err := cudaSettings(o)
	if err != nil {
		return err
	}
	return attachCUDA(s, cuda)
}
