package head

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"graft/finetune/engine/dense"

	"gorgonia.org/tensor"
)

// GDOptions are the settings of FitGD. Zero values of the numbers mean the
// study's.
type GDOptions struct {
	LearningRate float64 // Adam's; 0 means 1e-4
	Batch        int     // rows a step; 0 means 32
	Epochs       int     // 0 means 10
	Seed         uint64  // of the first weights and the order of rows
	// Epoch, if set, sees the head after each epoch, for validation. The head is
	// its own copy. An error ends the training.
	Epoch func(e Epoch, l *Linear) error
}

// Epoch is one pass over the rows.
type Epoch struct {
	Epoch     int     // from 1
	TrainLoss float64 // mean cross-entropy of the rows, each as its step saw it
	Seconds   float64 // of the pass
}

// FitGD trains one linear layer on x [n,d] as it is, not standardised, by Adam
// on the mean cross-entropy of shuffled batches: the study's recipe. The layer
// starts as PyTorch's nn.Linear does, weights and bias uniform within ±1/√d.
func FitGD(ctx context.Context, x []float32, n, d int, y []int, classes int, o GDOptions) (*Linear, []Epoch, error) {
	if err := checkData(x, n, d, y, classes); err != nil {
		return nil, nil, err
	}
	if o.Batch < 0 || o.Epochs < 0 || !(o.LearningRate >= 0) {
		return nil, nil, fmt.Errorf("batch %d, epochs %d, learning rate %g: want 0 or more", o.Batch, o.Epochs, o.LearningRate)
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x6764)) // "gd"
	g := newDescent(min(n, cmp.Or(o.Batch, 32)), d, classes, cmp.Or(o.LearningRate, 1e-4))
	g.initialize(r)
	var epochs []Epoch
	for e := range cmp.Or(o.Epochs, 10) {
		began := time.Now()
		loss, err := g.epoch(ctx, x, y, r.Perm(n))
		if err != nil {
			return nil, epochs, fmt.Errorf("epoch %d: %w", e+1, err)
		}
		epochs = append(epochs, Epoch{e + 1, loss, time.Since(began).Seconds()})
		if o.Epoch != nil {
			if err := o.Epoch(epochs[e], g.linear()); err != nil {
				return nil, epochs, err
			}
		}
	}
	return g.linear(), epochs, nil
}

// descent is a linear layer under training, with the buffers of one step.
type descent struct {
	batch, d, classes int
	weight, bias      parameter
	x, logits         *tensor.Dense // [batch,d], [batch,classes]
	w, gradW          *tensor.Dense // weight's value and gradient [classes,d]
	rate              float64
	steps             int
}

func newDescent(batch, d, classes int, rate float64) *descent {
	g := &descent{batch: batch, d: d, classes: classes, rate: rate,
		x: dense.New(batch, d), logits: dense.New(batch, classes),
		w: dense.New(classes, d), gradW: dense.New(classes, d)}
	g.weight = newParameter(g.w.Float32s(), g.gradW.Float32s())
	g.bias = newParameter(make([]float32, classes), make([]float32, classes))
	return g
}

func (g *descent) initialize(r *rand.Rand) {
	bound := 1 / math.Sqrt(float64(g.d))
	for _, p := range []parameter{g.weight, g.bias} {
		for i := range p.value {
			p.value[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
}

func (g *descent) linear() *Linear {
	return &Linear{Classes: g.classes, Dim: g.d,
		W: append([]float32(nil), g.weight.value...), B: append([]float32(nil), g.bias.value...)}
}

// epoch trains on the rows in the given order and returns their mean loss.
func (g *descent) epoch(ctx context.Context, x []float32, y, order []int) (float64, error) {
	var sum float64
	labels := make([]int, g.batch)
	for from := 0; from < len(order); from += g.batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		rows := order[from:min(from+g.batch, len(order))]
		for i, row := range rows {
			copy(g.x.Float32s()[i*g.d:(i+1)*g.d], x[row*g.d:])
			labels[i] = y[row]
		}
		loss, err := g.step(labels[:len(rows)])
		if err != nil {
			return 0, err
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return 0, fmt.Errorf("loss of rows %d to %d of the epoch is %g: lower the learning rate, or look for NaN in the features", from, from+len(rows)-1, loss)
		}
		sum += loss * float64(len(rows))
	}
	return sum / float64(len(order)), nil
}

// step trains on the first len(labels) rows of g.x and returns their mean loss
// before the update.
func (g *descent) step(labels []int) (float64, error) {
	n := len(labels)
	x, err := dense.Rows(g.x, 0, n)
	if err != nil {
		return 0, err
	}
	logits, err := dense.Rows(g.logits, 0, n)
	if err != nil {
		return 0, err
	}
	if err := dense.MatMul(logits, x, g.w, false, true); err != nil {
		return 0, err
	}
	loss := g.crossEntropy(logits.Float32s(), labels)
	if err := dense.MatMul(g.gradW, logits, x, true, false); err != nil {
		return 0, err
	}
	g.steps++
	g.weight.adam(g.rate, g.steps)
	g.bias.adam(g.rate, g.steps)
	return loss, nil
}

// crossEntropy adds the bias to the products z [n,classes], returns the mean
// loss, and leaves its derivative in z and the bias's gradient.
func (g *descent) crossEntropy(z []float32, labels []int) float64 {
	var loss float64
	clear(g.bias.grad)
	for i, want := range labels {
		row := z[i*g.classes : (i+1)*g.classes]
		for k, b := range g.bias.value {
			row[k] += b
		}
		top := row[want]
		for _, v := range row {
			top = max(top, v)
		}
		var sum float64
		for _, v := range row {
			sum += math.Exp(float64(v - top))
		}
		loss += math.Log(sum) - float64(row[want]-top)
		for k, v := range row {
			p := math.Exp(float64(v-top)) / sum
			if k == want {
				p--
			}
			row[k] = float32(p / float64(len(labels)))
			g.bias.grad[k] += row[k]
		}
	}
	return loss / float64(len(labels))
}

// parameter is a trainable array with its gradient and Adam's moments.
type parameter struct{ value, grad, first, second []float32 }

func newParameter(value, grad []float32) parameter {
	return parameter{value, grad, make([]float32, len(value)), make([]float32, len(value))}
}

// adam is step t, from 1, of torch.optim.Adam with its defaults: β₁ = 0.9,
// β₂ = 0.999, ε = 1e-8, no weight decay (Kingma and Ba, 2015, algorithm 1).
func (p parameter) adam(rate float64, t int) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	size := float32(rate / (1 - math.Pow(beta1, float64(t))))
	root := float32(math.Sqrt(1 - math.Pow(beta2, float64(t))))
	for i, g := range p.grad {
		p.first[i] = beta1*p.first[i] + (1-beta1)*g
		p.second[i] = beta2*p.second[i] + (1-beta2)*g*g
		p.value[i] -= size * p.first[i] / (float32(math.Sqrt(float64(p.second[i])))/root + epsilon)
	}
}
