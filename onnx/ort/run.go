//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	native "github.com/yalue/onnxruntime_go"

	"graft/onnx"
	"graft/onnx/ort/internal/sighandler"
	"graft/onnx/session"
)

// Run works on the slices of the tensors themselves: nothing is copied.
func (s *ortSession) Run(ctx context.Context, in, out []session.Tensor) error {
	if s.native == nil {
		return errors.New("run: the session is closed")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	given, err := session.Inputs(s.inputs, in)
	if err != nil {
		return err
	}
	ins, err := wrapAll(given, s.inputs, &pins)
	defer destroy(ins)
	if err != nil {
		return err
	}
	wanted, err := session.Outputs(s.outputs, out)
	if err != nil {
		return err
	}
	outs, err := wrapAll(wanted, s.outputs, &pins)
	// A closure: the binding fills in the outputs that were not asked for.
	defer func() { destroy(outs) }()
	if err != nil {
		return err
	}
	select {
	case control := <-s.controls:
		defer func() { s.controls <- control }()
		return s.run(ctx, control, ins, outs)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run lets a cancelled ctx terminate the native call. Providers may replace
// signal handlers as late as in the first run.
func (s *ortSession) run(ctx context.Context, control *native.RunOptions, ins, outs []native.Value) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = control.Terminate()
		close(ended)
	})
	call := func() error { return s.native.RunWithOptions(ins, outs, control) }
	var err error
	if s.warm || s.provider == session.CPU {
		err = call()
	} else {
		err = sighandler.Preserve(call)
		s.warm = true
	}
	if !stop() {
		<-ended // the flag must not be set after it is cleared
		err = errors.Join(ctx.Err(), control.UnsetTerminate())
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("run on %s: %w", s.provider, err)
	}
	return err
}

// wrapAll makes native values that use the tensors' slices, nil for outputs that
// were not asked for where the binding can allocate them itself.
func wrapAll(tensors []*session.Tensor, values []onnx.Value, pins *runtime.Pinner) ([]native.Value, error) {
	wrapped := make([]native.Value, len(tensors))
	for i, t := range tensors {
		switch v := values[i]; {
		case t == nil && (v.Type == onnx.Float16 || v.Type == onnx.BFloat16 || len(v.Dims) == 0):
			return wrapped, fmt.Errorf("run: output %s was not asked for and cannot be thrown away: name the wanted outputs in Options.Outputs", v)
		case t == nil:
		case len(t.Shape) == 0:
			return wrapped, fmt.Errorf("run: %q: want %v, got a scalar, which the binding cannot pass", t.Name, v)
		default:
			data := reflect.ValueOf(t.Data)
			pins.Pin(data.UnsafePointer())
			raw := unsafe.Slice((*byte)(data.UnsafePointer()), data.Len()*int(v.Type.Size()))
			// ONNX and its runtime number the types alike.
			value, err := native.NewCustomDataTensor(t.Shape, raw, native.TensorElementDataType(v.Type))
			if err != nil {
				return wrapped, fmt.Errorf("run: %q: %w", t.Name, err)
			}
			wrapped[i] = value
		}
	}
	return wrapped, nil
}

func destroy(values []native.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy()
		}
	}
}
