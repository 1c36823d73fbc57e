package pretrained

import (
	"errors"
	"fmt"

	"graft/onnx/ort"
	"graft/onnx/precision"
)

// DefaultBatch is how many images per inference suit a provider. On the CPU, where
// every thread runs batches of its own (ort.Options.Throughput), two are best for
// ViT-Ti/16 and ViT-B/16, float32 and int8, by up to 15% over 16: they leave the
// cache to the weights. Accelerators want many; 32 is a guess, which
// extract.Config.AutoBatch replaces by a measurement.
func DefaultBatch(p ort.Provider) int {
	if p == ort.CPU {
		return 2
	}
	return 32
}

// DefaultBatch is that of the backbone's provider, or the batch that is fixed in
// its file.
func (b *Backbone) DefaultBatch() int {
	if f, ok := b.adapter.(*foreign); ok && f.batch > 0 {
		return f.batch
	}
	return DefaultBatch(b.Provider())
}

// errHalfOnCPU is why files in float16 are refused on the CPU.
var errHalfOnCPU = errors.New("its numbers are float16, for which the CPU provider has no kernels: it would convert to float32 and back at no gain in speed. " +
	"Take the float32 or the int8 file (graft model export --precision fp32 or int8), or a GPU's provider (--provider cuda)")

// checkPrecision refuses files that p would run at a loss. passed are the
// reasons why no other provider was taken, if any.
func checkPrecision(kind string, p ort.Provider, passed []error) error {
	if p != ort.CPU || kind != string(precision.Float16) {
		return nil
	}
	if len(passed) == 0 {
		return errHalfOnCPU
	}
	return fmt.Errorf("%w. No accelerator was found: %w", errHalfOnCPU, errors.Join(passed...))
}
