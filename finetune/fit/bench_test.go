package fit

import (
	"context"
	"testing"

	"graft/finetune/nets"
	"graft/preprocess/augment"
)

// BenchmarkStep is one step of 32 images with the preparation of its batch, which runs beside it in a training:
//
//	go test ./finetune/fit -run '^$' -bench Step -benchmem
func BenchmarkStep(b *testing.B) {
	for name, o := range map[string]augment.Pipeline{"plain": {}, "augmented": {HFlip: 0.5, Rotate: 10, Scale: 0.1, Shift: 0.1, Cutout: 8}} {
		for _, net := range []nets.Net{nets.StudyCNN(2), nets.StudyViT(2)} {
			b.Run(net.Kind()+"/"+name, func(b *testing.B) {
				step := stepper(b, benchJob(b, net, o))
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
	}
}

// stepper returns one step with the preparation of its batch, and has done the first, which makes what the others use.
func stepper(t testing.TB, job Job) func() {
	t.Helper()
	trainer, err := newTrainer(job)
	if err != nil {
		t.Fatal(err)
	}
	batch := <-trainer.feeder.free
	trainer.feeder.shuffle(1, 0)
	step := func() {
		trainer.feeder.fill(batch, 0, 0)
		if batch.err != nil {
			t.Fatal(batch.err)
		}
		if _, err := trainer.step(context.Background(), batch, 0, 2); err != nil {
			t.Fatal(err)
		}
	}
	step()
	return step
}

func benchJob(b testing.TB, net nets.Net, o augment.Pipeline) Job {
	b.Helper()
	p := NewPixels(64, 1, 20, 32)
	small, labels := faces(b, 64)
	for i := range 64 {
		face := make([]float32, 400)
		small.read(face, i)
		for j := range 32 * 32 {
			p.floats[i*32*32+j] = face[j*400/(32*32)]
		}
	}
	data, err := NewImages(p, upTo(0, 64), OneHot(labels, 2), 2, o, 1)
	if err != nil {
		b.Fatal(err)
	}
	return Job{Net: net, Train: data, Config: Config{Epochs: 1, Batch: 32, Optimizer: Adam, LearningRate: 1e-4, Schedule: Constant, Threads: 1}}
}
