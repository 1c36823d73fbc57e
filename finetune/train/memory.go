package train

import (
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/internal/memory"
)

// checkMemory tells how much memory a training takes, and refuses one that does not fit into what is free, with the batches
// that do. Where the system does not say what is free, nothing is refused.
func checkMemory(net nets.Net, c fit.Config, validates bool, free func() (int64, error), log func(format string, args ...any)) error {
	need, err := fit.Memory(net, c, validates)
	if err != nil {
		return err
	}
	log("training takes about %s of memory in steps of %d", gigabytes(need), c.Batch)
	have, err := free()
	if err != nil || need <= have {
		return nil
	}
	too := fmt.Errorf("training in batches of %d takes about %s of memory, and %s are free", c.Batch, gigabytes(need), gigabytes(have))
	for smaller, times := c, 1; smaller.Batch > 1; {
		times *= 2
		smaller.Batch, smaller.Accumulate = c.Batch/times, max(1, c.Accumulate)*times
		if need, err = fit.Memory(net, smaller, validates); err != nil {
			return err
		}
		if smaller.Batch*times == c.Batch && need <= have {
			return fmt.Errorf("%w; --batch %d --accumulate %d makes the same steps with %s", too, smaller.Batch, smaller.Accumulate, gigabytes(need))
		}
	}
	return fmt.Errorf("%w; smaller batches do not help enough: unfreeze less, or use a smaller image", too)
}

// freeMemory is that of the machine.
var freeMemory = memory.Free

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }
