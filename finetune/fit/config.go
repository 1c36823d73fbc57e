package fit

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"graft/graph"
	"graft/internal/idle"
)

// The optimisers.
const (
	SGD   = "sgd"   // with momentum
	Adam  = "adam"  // Kingma and Ba 2015, PyTorch's betas and eps
	AdamW = "adamw" // Adam with decoupled weight decay
)

// The learning-rate schedules. All of them rise linearly during the warm-up first.
const (
	Constant = "constant"
	Cosine   = "cosine" // falls along half a cosine, reaching 0 with the last step
	Step     = "step"   // times StepFactor after every StepEpochs epochs
)

// The words that Config takes.
var (
	optimizers = []string{SGD, Adam, AdamW}
	schedules  = []string{Constant, Cosine, Step}
)

// Config says how to train. Its JSON form stands in config.json and in checkpoints; usage is what the command line says of a
// setting, flag its word there if it is not the one in JSON.
type Config struct {
	Epochs       int       `json:"epochs" usage:"passes over train: <N>"`
	Batch        int       `json:"batch" usage:"examples a step: <N>"`
	Accumulate   int       `json:"accumulate,omitempty" usage:"<N> batches of which the gradients' mean makes one step, where they do not fit into memory at once"` // 0 as 1
	Optimizer    string    `json:"optimizer" usage:"<NAME>: sgd, adam, adamw"`
	LearningRate float64   `json:"learning_rate" flag:"lr" usage:"learning <RATE> after the warm-up"`
	Momentum     float64   `json:"momentum" usage:"of sgd: <M>, 0 to below 1"`
	WeightDecay  float64   `json:"weight_decay" usage:"<D> of matrices and kernels"` // biases, norms and other vectors do not decay
	Schedule     string    `json:"schedule" usage:"of the learning rate: <NAME>: constant, cosine, step"`
	Warmup       float64   `json:"warmup" usage:"<EPOCHS> in which the learning rate rises"`
	StepEpochs   int       `json:"step_epochs" usage:"of the step schedule: <EPOCHS> between its steps"`
	StepFactor   float64   `json:"step_factor" usage:"of the step schedule: <FACTOR> of each step"` // above 0 and at most 1
	Clip         float64   `json:"clip" usage:"limit <L> of the gradients' norm (0: none)"`         // of all gradients together
	Smoothing    float64   `json:"label_smoothing" usage:"<S>, 0 to below 1"`
	ClassWeights []float64 `json:"class_weights"`           // one for each class, or nil for ones
	LogitOffsets []float64 `json:"logit_offsets,omitempty"` // added to each class's logit in the loss alone, or nil
	// EMA, if above 0, judges and keeps a running mean of the weights: e ← d·e + (1-d)·w after each step, with d the
	// smaller of EMA and (1+t)/(10+t) after t steps, so that the first weights are soon forgotten.
	EMA float64 `json:"ema" usage:"keep a running mean of the weights that forgets with <D> a step (0: none)"`
	// KeepBest keeps the weights of the smallest validation loss instead of the last ones.
	KeepBest bool `json:"keep_best" usage:"keep the epoch of the smallest loss on the hold-out, not the last"`
	// Patience ends the training after so many epochs without a smaller validation loss; 0 never does.
	Patience int    `json:"patience" usage:"stop after <EPOCHS> without a smaller loss on the hold-out (0: never)"`
	Seed     uint64 `json:"seed"`    // of the order of examples, dropout, and the first weights
	Threads  int    `json:"threads"` // 0 for all cores; the same number gives the same bits
}

// Limits of what a configuration may ask for.
const (
	maxEpochs = 1 << 20
	maxBatch  = 1 << 16
)

// Check tells what is out of range, and what would have no effect.
func (c Config) Check() error {
	return errors.Join(
		within("epochs", float64(c.Epochs), 1, maxEpochs), within("batch", float64(c.Batch), 1, maxBatch),
		within("accumulate", float64(c.Accumulate), 0, maxBatch),
		word("optimizer", c.Optimizer, optimizers), word("schedule", c.Schedule, schedules),
		above("learning rate", c.LearningRate), below1("momentum", c.Momentum), within("weight decay", c.WeightDecay, 0, 1e6),
		within("warm-up", c.Warmup, 0, maxEpochs), within("clip", c.Clip, 0, math.MaxFloat64), below1("label smoothing", c.Smoothing),
		below1("ema", c.EMA), within("patience", float64(c.Patience), 0, maxEpochs), within("threads", float64(c.Threads), 0, 4096),
		c.checkSteps(), c.checkIdle(), c.checkWeights())
}

// checkIdle names what would have no effect.
func (c Config) checkIdle() error {
	switch {
	case c.Momentum != 0 && c.Optimizer != SGD:
		return idle.Errorf("momentum", "momentum %g: %s has none, only %s has", c.Momentum, c.Optimizer, SGD)
	case (c.StepEpochs != 0 || c.StepFactor != 0) && c.Schedule != Step:
		return idle.Errorf("step-epochs step-factor", "step epochs %d, step factor %g: schedule %s has no steps, only %s has", c.StepEpochs, c.StepFactor, c.Schedule, Step)
	}
	return nil
}

func (c Config) checkSteps() error {
	if c.Schedule != Step {
		return nil
	}
	err := within("step epochs", float64(c.StepEpochs), 1, maxEpochs)
	if !(c.StepFactor > 0 && c.StepFactor <= 1) {
		err = errors.Join(err, fmt.Errorf("step factor %g: want above 0 and at most 1", c.StepFactor))
	}
	return err
}

func (c Config) checkWeights() error {
	for i, w := range c.ClassWeights {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("weight of class %d is %g: want 0 or more", i, w)
		}
	}
	return nil
}

func within(name string, v, low, high float64) error {
	switch {
	case v >= low && v <= high:
		return nil
	case high == math.MaxFloat64:
		return fmt.Errorf("%s %s: want %s or more", name, number(v), number(low))
	}
	return fmt.Errorf("%s %s: want %s to %s", name, number(v), number(low), number(high))
}

// number writes 1048576, not 1.048576e+06.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func above(name string, v float64) error {
	if !(v > 0 && v <= math.MaxFloat32) {
		return fmt.Errorf("%s %g: want above 0", name, v)
	}
	return nil
}

func below1(name string, v float64) error {
	if !(v >= 0 && v < 1) {
		return fmt.Errorf("%s %g: want at least 0 and below 1", name, v)
	}
	return nil
}

func word(name, v string, known []string) error {
	if !slices.Contains(known, v) {
		return fmt.Errorf("%s %q: want one of %s", name, v, strings.Join(known, ", "))
	}
	return nil
}

// rate is the learning rate of a step, counted from 0.
func (c Config) rate(step, perEpoch int) float64 {
	warm := c.Warmup * float64(perEpoch)
	if at := float64(step + 1); at < warm {
		return c.LearningRate * at / warm
	}
	switch c.Schedule {
	case Cosine:
		whole := float64(c.Epochs*perEpoch) - warm
		return c.LearningRate * (1 + math.Cos(math.Pi*min(1, (float64(step)-warm+1)/max(1, whole)))) / 2
	case Step:
		return c.LearningRate * math.Pow(c.StepFactor, float64(step/perEpoch/c.StepEpochs))
	}
	return c.LearningRate
}

// share is what a batch's accumulated gradients are multiplied by for a step: 0 before the last batch of one. An epoch's last
// step may be of fewer batches.
func (c Config) share(at, perEpoch int) float64 {
	n, in := max(c.Accumulate, 1), at%perEpoch
	if (in+1)%n != 0 && in != perEpoch-1 {
		return 0
	}
	return 1 / float64(in%n+1)
}

// updates is how many steps of the optimiser come before that of a batch, both counted from 0.
func (c Config) updates(at, perEpoch int) int {
	n := max(c.Accumulate, 1)
	return at/perEpoch*((perEpoch+n-1)/n) + at%perEpoch/n
}

// decay is EMA's after t steps.
func (c Config) decay(t int) float64 { return min(c.EMA, float64(1+t)/float64(10+t)) }

// optimizer is the graph's; rates are the weights' factors of the learning rate by name, where they have one.
func (c Config) optimizer(rates map[string]float64) graph.Optimizer {
	factor := func(p *graph.Node) float64 { return cmp.Or(rates[p.Name()], 1) }
	matrices := func(p *graph.Node) bool { return len(p.Shape()) > 1 }
	switch c.Optimizer {
	case SGD:
		return graph.SGD{Momentum: c.Momentum, WeightDecay: c.WeightDecay, Decay: matrices, Rate: factor}
	case AdamW:
		return graph.Adam{WeightDecay: c.WeightDecay, Decoupled: true, Decay: matrices, Rate: factor}
	}
	return graph.Adam{WeightDecay: c.WeightDecay, Decay: matrices, Rate: factor}
}
