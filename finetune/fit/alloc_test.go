//go:build !race

package fit

import (
	"testing"

	"graft/finetune/nets"
	"graft/preprocess/augment"
)

// TestStepAllocatesNothing wants a step and the preparation of its batch to leave the heap alone. The race detector makes
// sync.Pool forget at random, hence the build constraint.
func TestStepAllocatesNothing(t *testing.T) {
	for name, o := range map[string]augment.Pipeline{"plain": {}, "augmented": {HFlip: 0.5, Rotate: 10, Scale: 0.1, Shift: 0.1, Cutout: 8, Mixup: 0.2}} {
		for _, net := range []nets.Net{nets.StudyCNN(2), nets.StudyViT(2)} {
			if n := testing.AllocsPerRun(50, stepper(t, benchJob(t, net, o))); n > 0 {
				t.Errorf("%s, %s: %v allocations a step", net.Kind(), name, n)
			}
		}
	}
}
