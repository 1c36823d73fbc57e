package pretrained

import (
	"errors"
	"fmt"

	"graft/onnx/precision"
	"graft/onnx/session"
)

// errHalfOnCPU is why files in float16 are refused on the CPU.
var errHalfOnCPU = errors.New("its numbers are float16, for which the CPU provider has no kernels: it would convert to float32 and back at no gain in speed. " +
	"Take the float32 or the int8 file (graft model export --precision fp32 or int8), or a GPU's provider (--provider cuda)")

// checkPrecision refuses files that p would run at a loss. passed are the
// reasons why no other provider was taken, if any.
func checkPrecision(kind string, p session.Provider, passed []error) error {
	if p != session.CPU || kind != string(precision.Float16) {
		return nil
	}
	if len(passed) == 0 {
		return errHalfOnCPU
	}
	return fmt.Errorf("%w. No accelerator was found: %w", errHalfOnCPU, errors.Join(passed...))
}
