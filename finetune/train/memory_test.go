package train

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"graft/finetune/fit"
	"graft/finetune/nets"
)

// TestMemoryIsTold wants a batch that does not fit refused with the accumulation that does.
func TestMemoryIsTold(t *testing.T) {
	net := nets.StudyViT(2)
	c := fit.Config{Epochs: 1, Batch: 64, Accumulate: 3, Optimizer: fit.AdamW, LearningRate: 1e-4, Schedule: fit.Constant, Threads: 1}
	needs := func(batch, accumulate int) int64 {
		smaller := c
		smaller.Batch, smaller.Accumulate = batch, accumulate
		n, err := fit.Memory(net, smaller, false)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, k := range []struct {
		free int64
		err  error
		want []string // in the error; nil: none
	}{
		{needs(64, 3), nil, nil},
		{0, errors.ErrUnsupported, nil},
		{needs(64, 3) - 1, nil, []string{"batches of 64", "--batch 32 --accumulate 6", gigabytes(needs(64, 3) - 1)}},
		{needs(16, 12), nil, []string{"--batch 16 --accumulate 12"}},
		{1, nil, []string{"smaller batches do not help"}},
	} {
		var told string
		err := checkMemory(net, c, false, func() (int64, error) { return k.free, k.err }, func(f string, a ...any) { told += fmt.Sprintf(f, a...) })
		if !strings.Contains(told, gigabytes(needs(64, 3))) || (err == nil) != (k.want == nil) {
			t.Errorf("%d bytes free: told %q, then %v", k.free, told, err)
		}
		for _, w := range k.want {
			if err != nil && !strings.Contains(err.Error(), w) {
				t.Errorf("%d bytes free: %v, want %q in it", k.free, err, w)
			}
		}
	}
}
