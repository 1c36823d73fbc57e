package fit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"graft/finetune/nets"
)

// Job is one training.
type Job struct {
	Net        nets.Net
	Config     Config
	Start      map[string][]float32 // the first weights by name; nil draws them by the seed
	Train      Data
	Validation *Validation // nil for none
	// Checkpoint is the file that holds the state after each epoch; "" keeps none. One that is there is gone on from,
	// if its training had the same settings; otherwise the error names the first that differs. It stays when the training
	// is done: whoever has saved the result removes it.
	Checkpoint string
	// Identity is what must be the same beside Net and Config for a checkpoint to be gone on from, such as the data's hash.
	Identity map[string]string
	Resumed  func(epochs int)        // told when a checkpoint is gone on from; may be nil
	Progress func(done, total int64) // counts the examples of all epochs; may be nil
	Epoch    func(Epoch)             // told after each epoch; may be nil
}

// Epoch is one pass over the training data, or one iteration of another method of fitting. Validation figures are nil where
// nothing was validated.
type Epoch struct {
	Number             int      `json:"epoch"`      // from 1
	TrainLoss          float64  `json:"train_loss"` // mean over the examples, each as its step saw it
	ValidationLoss     *float64 `json:"validation_loss"`
	ValidationAccuracy *float64 `json:"validation_accuracy"`
	Seconds            float64  `json:"seconds"` // of the pass, validation not counted
}

// Result is a trained model.
type Result struct {
	Weights map[string][]float32 // the last, or with KeepBest the best
	Last    map[string][]float32
	Epoch   int // that Weights are of
	History []Epoch
}

// Train runs a job. The same job gives the same weights, whether it was interrupted or not. A loss or gradient that is not
// finite ends it with an error that names the operation where it began.
func Train(ctx context.Context, j Job) (*Result, error) {
	t, err := newTrainer(j)
	if err != nil {
		return nil, err
	}
	if err := t.resume(); err != nil {
		return nil, err
	}
	for !t.done() {
		e, err := t.epoch(ctx, len(t.history))
		if err == nil {
			err = t.validate(ctx, &e)
		}
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", len(t.history)+1, err)
		}
		t.history = append(t.history, e)
		if err := t.save(); err != nil {
			return nil, err
		}
		if j.Epoch != nil {
			j.Epoch(e)
		}
	}
	return t.result(), nil
}

// epoch is one pass over the training data.
func (t *trainer) epoch(ctx context.Context, epoch int) (Epoch, error) {
	began := time.Now()
	steps := t.feeder.steps()
	at, seen, n := epoch*steps, 0, t.job.Train.Len()
	var sum float64
	err := t.feeder.epoch(ctx, t.job.Config.Seed, epoch, func(b *batch) error {
		loss, err := t.step(ctx, b, at, steps)
		if err != nil {
			return fmt.Errorf("step %d of %d: %w", at%steps+1, steps, err)
		}
		sum += loss * float64(b.rows)
		at, seen = at+1, seen+b.rows
		if t.job.Progress != nil {
			t.job.Progress(int64(epoch)*int64(n)+int64(seen), int64(t.job.Config.Epochs)*int64(n))
		}
		return nil
	})
	return Epoch{Number: epoch + 1, TrainLoss: sum / float64(n), Seconds: time.Since(began).Seconds()}, err
}

// step trains on a batch and returns its loss before the update.
func (t *trainer) step(ctx context.Context, b *batch, at, perEpoch int) (float64, error) {
	copy(t.in.x, b.x)
	copy(t.in.targets, b.targets)
	setScalar(t.in.rate, t.job.Config.rate(at, perEpoch))
	setScalar(t.in.step, float64(at))
	setScalar(t.in.ema, t.job.Config.decay(t.job.Config.updates(at, perEpoch)))
	setScalar(t.in.share, t.job.Config.share(at, perEpoch))
	if err := t.program.Run(ctx); err != nil {
		return 0, err
	}
	return float64(t.out[0]), nil
}

func setScalar(in []float32, v float64) {
	if in != nil {
		in[0] = float32(v)
	}
}

// validate judges the weights as they would be kept, and keeps them if they are the best so far.
func (t *trainer) validate(ctx context.Context, e *Epoch) error {
	v := t.job.Validation
	if v == nil {
		return nil
	}
	if err := t.evaluator.Use(t.weights()); err != nil {
		return err
	}
	logits, err := t.evaluator.Logits(ctx, v.Examples, nil)
	if err != nil {
		return err
	}
	loss, accuracy := Score(logits, v.Labels, t.job.Net.Classes())
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("the validation loss is %g: lower the learning rate, or look for extreme values in the data", loss)
	}
	e.ValidationLoss, e.ValidationAccuracy = &loss, &accuracy
	if best := t.best(); best < 0 || loss < *t.history[best].ValidationLoss {
		t.bestWeights = t.weights()
	}
	return nil
}

// best is the index of the epoch of smallest validation loss, of equal ones the first; -1 if there is none.
func (t *trainer) best() int {
	best := -1
	for i, e := range t.history {
		if e.ValidationLoss != nil && (best < 0 || *e.ValidationLoss < *t.history[best].ValidationLoss) {
			best = i
		}
	}
	return best
}

// done tells whether all epochs are over, or the validation loss has not improved for too many.
func (t *trainer) done() bool {
	c := t.job.Config
	stalled := c.Patience > 0 && t.best() >= 0 && len(t.history)-1-t.best() >= c.Patience
	return len(t.history) >= c.Epochs || stalled
}

func (t *trainer) result() *Result {
	r := &Result{Last: t.weights(), Epoch: len(t.history), History: slices.Clone(t.history)}
	r.Weights = r.Last
	if t.job.Config.KeepBest {
		r.Weights, r.Epoch = t.bestWeights, t.best()+1
	}
	return r
}
