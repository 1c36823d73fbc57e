package fit

import (
	"errors"
	"fmt"
	"slices"

	"graft/finetune/nets"
	"graft/graph"
	"graft/graph/engine"
)

// trainer is a job under way.
type trainer struct {
	job     Job
	g       *graph.Graph
	program *engine.Program
	loss    *graph.Node
	emaRate *graph.Node

	// The program's own memory of inputs and loss. Inputs that the graph does not use are nil.
	in  struct{ x, targets, rate, step, ema, share []float32 }
	out []float32

	feeder      *feeder
	evaluator   *Evaluator           // nil without validation
	start       map[string][]float32 // the first weights
	history     []Epoch
	bestWeights map[string][]float32
}

// emaPrefix stands before a weight's name in the name of its running mean.
const emaPrefix = "ema."

// evaluationBatch is how many examples are judged at once.
const evaluationBatch = 128

func newTrainer(j Job) (*trainer, error) {
	if err := checkJob(j); err != nil {
		return nil, err
	}
	t := &trainer{job: j, g: graph.New(), start: j.Start}
	if t.start == nil {
		t.start = nets.Init(j.Net, j.Config.Seed)
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	var err error
	t.program, err = engine.Compile(t.g, []*graph.Node{t.loss}, t.g.Updates(), engine.Options{Threads: j.Config.Threads, CheckNaN: true})
	if err != nil {
		return nil, err
	}
	for name, to := range map[string]*[]float32{"x": &t.in.x, "targets": &t.in.targets, "rate": &t.in.rate, "step": &t.in.step, "ema": &t.in.ema, "share": &t.in.share} {
		*to = t.program.Value(t.g.Lookup(name))
	}
	t.out = t.program.Value(t.loss)
	t.feeder = newFeeder(j.Train, j.Config.Batch, j.Net.Classes())
	if j.Validation != nil {
		t.evaluator, err = NewEvaluator(j.Net, min(evaluationBatch, j.Validation.Examples.Len()), j.Config.Threads)
	}
	return t, err
}

func checkJob(j Job) error {
	if err := errors.Join(j.Config.Check(), j.Net.Check()); err != nil {
		return err
	}
	want := j.Net.InputShape()
	switch v := j.Validation; {
	case j.Train == nil || j.Train.Len() < 1:
		return errors.New("no training examples")
	case !slices.Equal(j.Train.Shape(), want):
		return fmt.Errorf("training examples of shape %v, the %s wants %v", j.Train.Shape(), j.Net.Kind(), want)
	case v != nil && (v.Examples.Len() < 1 || v.Examples.Len() != len(v.Labels)):
		return fmt.Errorf("validation: %d examples and %d labels, want as many, at least one", v.Examples.Len(), len(v.Labels))
	case v != nil && !slices.Equal(v.Examples.Shape(), want):
		return fmt.Errorf("validation examples of shape %v, the %s wants %v", v.Examples.Shape(), j.Net.Kind(), want)
	case v == nil && (j.Config.KeepBest || j.Config.Patience > 0):
		return errors.New("keeping the best weights and stopping early need validation")
	case j.Config.ClassWeights != nil && len(j.Config.ClassWeights) != j.Net.Classes():
		return fmt.Errorf("%d class weights for %d classes", len(j.Config.ClassWeights), j.Net.Classes())
	case j.Config.LogitOffsets != nil && len(j.Config.LogitOffsets) != j.Net.Classes():
		return fmt.Errorf("%d logit offsets for %d classes", len(j.Config.LogitOffsets), j.Net.Classes())
	case j.Config.Epochs*((j.Train.Len()+j.Config.Batch-1)/j.Config.Batch) > maxSteps:
		return fmt.Errorf("%d epochs of %d examples in batches of %d are more than %d steps", j.Config.Epochs, j.Train.Len(), j.Config.Batch, maxSteps)
	}
	return nil
}

// maxSteps is the largest whole number up to which float32, in which steps are counted for dropout, has all.
const maxSteps = 1 << 24

// build makes the training graph.
func (t *trainer) build() error {
	j, g := t.job, t.g
	x := g.Input("x", append([]int{j.Config.Batch}, j.Net.InputShape()...)...)
	targets := g.Input("targets", j.Config.Batch, j.Net.Classes())
	rate, step := g.Input("rate"), g.Input("step")
	t.emaRate = g.Input("ema")
	w, err := nets.Declare(g, j.Net, t.start)
	if err != nil {
		return err
	}
	logits := j.Net.Forward(g, x, w, nets.Mode{Train: true, Step: step, Seed: j.Config.Seed})
	o := graph.CrossEntropyOptions{Smoothing: j.Config.Smoothing}
	if j.Config.ClassWeights != nil {
		o.ClassWeights = g.Constant(j.Config.ClassWeights, j.Net.Classes())
	}
	if j.Config.LogitOffsets != nil {
		logits = g.Add(logits, g.Constant(j.Config.LogitOffsets, j.Net.Classes()))
	}
	t.loss = nets.Loss(g, logits, targets, o)
	parameters := g.Parameters(false)
	gradients, err := graph.Gradient(t.loss, parameters)
	if err != nil {
		return err
	}
	held := len(g.Updates())
	if j.Config.Accumulate > 1 {
		gradients = t.accumulate(parameters, gradients)
	}
	if j.Config.Clip > 0 {
		gradients, _ = g.ClipNorm(gradients, j.Config.Clip)
	}
	rates := map[string]float64{}
	for _, w := range j.Net.Weights() {
		rates[w.Name] = w.Rate
	}
	if err := j.Config.optimizer(rates).Apply(g, parameters, gradients, rate); err != nil {
		return err
	}
	if j.Config.EMA > 0 {
		t.average()
	}
	if j.Config.Accumulate > 1 {
		g.Hold(held+len(parameters), g.Less(g.Scalar(0), g.Lookup("share")))
	}
	return g.Err()
}

// accumulate sums gradients up over batches, and gives their mean in the last one of a step, which clears the sums.
func (t *trainer) accumulate(parameters, gradients []*graph.Node) (means []*graph.Node) {
	g := t.g
	share := g.Input("share")
	last := g.Less(g.Scalar(0), share)
	for i, p := range parameters {
		state := g.State("sum."+p.Name(), nil, p.Shape()...)
		sum := g.Add(state, gradients[i])
		g.Update(state, g.Where(last, g.Scalar(0), sum))
		means = append(means, g.Mul(sum, share))
	}
	return means
}

// average adds running means of the model's weights and statistics.
func (t *trainer) average() {
	g := t.g
	rest := g.Sub(g.Scalar(1), t.emaRate)
	for _, u := range g.Updates() {
		name := u.Parameter.Name()
		if first, ok := t.start[name]; ok {
			mean := g.State(emaPrefix+name, first, u.Parameter.Shape()...)
			g.Update(mean, g.Add(g.Mul(mean, t.emaRate), g.Mul(u.Value, rest)))
		}
	}
}

// weights copies the weights that are judged and kept: their running means where there are any.
func (t *trainer) weights() map[string][]float32 {
	out := map[string][]float32{}
	for _, w := range t.job.Net.Weights() {
		v := t.program.Parameter(emaPrefix + w.Name)
		if v == nil {
			v = t.program.Parameter(w.Name)
		}
		if v == nil {
			v = t.start[w.Name] // takes no part in training
		}
		out[w.Name] = slices.Clone(v)
	}
	return out
}
