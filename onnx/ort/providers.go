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
	settings  func(device int) map[string]string
	attach    func(s *native.SessionOptions, settings map[string]string) error
	oneDevice bool // which the provider chooses itself
}

var specs = map[session.Provider]spec{
	session.CPU:      {settings: noSettings},
	session.CUDA:     {settings: cudaSettings, attach: attachCUDA},
	session.TensorRT: {settings: tensorRTSettings, attach: attachTensorRT},
	session.WebGPU:   {noSettings, attachWebGPU, true},
	session.CoreML:   {coreMLSettings, (*native.SessionOptions).AppendExecutionProviderCoreMLV2, true},
	session.DirectML: {settings: deviceSettings, attach: attachDirectML},
	session.OpenVINO: {settings: openVINOSettings, attach: (*native.SessionOptions).AppendExecutionProviderOpenVINO},
}

func noSettings(int) map[string]string { return map[string]string{} }

func deviceSettings(device int) map[string]string {
	return map[string]string{"device_id": strconv.Itoa(device)}
}

// cudaSettings keeps products in float32: the default on recent cards, TF32,
// has ten bits of mantissa and would change features in the third digit.
func cudaSettings(device int) map[string]string {
	return map[string]string{"device_id": strconv.Itoa(device), "use_tf32": "0"}
}

// tensorRTSettings keep the engines, which take minutes to build, in the user's
// cache.
func tensorRTSettings(device int) map[string]string {
	s := deviceSettings(device)
	if base, err := os.UserCacheDir(); err == nil {
		s["trt_engine_cache_enable"] = "1"
		s["trt_engine_cache_path"] = filepath.Join(base, "graft", "tensorrt")
	}
	return s
}

// coreMLSettings keep to units that compute in float32: the neural engine does
// not.
func coreMLSettings(int) map[string]string {
	return map[string]string{"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}
}

// openVINOSettings choose the CPU for device 0 and the GPUs after it.
func openVINOSettings(device int) map[string]string {
	if device == 0 {
		return map[string]string{"device_type": "CPU"}
	}
	return map[string]string{"device_type": fmt.Sprintf("GPU.%d", device-1)}
}

func attachWebGPU(s *native.SessionOptions, settings map[string]string) error {
	return s.AppendExecutionProvider("WebGPU", settings)
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
	p := specs[o.Provider]
	if p.oneDevice && o.Device != 0 {
		return nil, fmt.Errorf("%s chooses the device itself: leave --device at 0", o.Provider)
	}
	s := p.settings(o.Device)
	maps.Copy(s, o.ProviderOptions)
	return s, nil
}

// attach adds the provider that o names to the session's options.
func attach(s *native.SessionOptions, o session.Options) error {
	sp, known := specs[o.Provider]
	switch {
	case !known:
		return fmt.Errorf("provider %s is not ONNX Runtime's", o.Provider)
	case sp.attach == nil:
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
	if o.Provider == session.TensorRT {
		// What TensorRT leaves is better off on the same card than on the CPU.
		return attachCUDA(s, cudaSettings(o.Device))
	}
	return nil
}
