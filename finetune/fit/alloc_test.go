//go:build !race

package fit

import (
	"runtime"
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
	if n := testing.AllocsPerRun(50, stepper(t, tailJob(t))); n > 0 {
		t.Errorf("a backbone's last blocks: %v allocations a step", n)
	}
}

// tailJob trains the last two blocks of a small network, with all that a recipe may ask for.
func tailJob(t *testing.T) Job {
	t.Helper()
	s := newTorchTail(t)
	s.net.Residuals = []nets.Residual{{Tensor: "blocks.2.residual", Drop: 0.1}}
	data, err := NewFeatures(s.features(), []int{0, 1, 2, 3, 4, 5}, OneHot(s.labels(), 5), 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	return Job{Net: s.net, Start: s.start(), Train: data, Config: Config{Epochs: 2, Batch: 6, Accumulate: 2, Optimizer: AdamW, LearningRate: 1e-3, WeightDecay: 0.05,
		Schedule: Cosine, Smoothing: 0.1, EMA: 0.9, Clip: 1, Threads: 1}}
}

// TestMemory compares what is told with what the heap grows by.
func TestMemory(t *testing.T) {
	job := benchJob(t, nets.StudyViT(2), augment.Pipeline{})
	job.Config.Batch = 256
	job.Start = nets.Init(job.Net, 1)
	inUse := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	told, err := Memory(job.Net, job.Config, false)
	if err != nil {
		t.Fatal(err)
	}
	if grown := inUse() - before; grown > told/50 {
		t.Errorf("telling kept %d bytes", grown)
	}
	trainer, err := newTrainer(job)
	if err != nil {
		t.Fatal(err)
	}
	if grown := inUse() - before; !(told > grown*9/10 && told < grown*11/10) {
		t.Errorf("told %d bytes, and %d were taken", told, grown)
	}
	runtime.KeepAlive(trainer)
	judging, err := Memory(job.Net, job.Config, true)
	if err != nil || judging <= told {
		t.Errorf("with validation %d bytes, without %d (%v)", judging, told, err)
	}
}
