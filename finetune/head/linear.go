// Package head fits linear softmax classifiers on features that a frozen
// backbone has computed: multinomial logistic regression by L-BFGS ([FitLBFGS],
// with the strength of its penalty chosen by [FitCV]).
//
// Features are float32 [n,d] row-major. They are never changed nor copied as a
// whole: rows are standardised on their way into the cache. Beside them a fit
// takes about 9·d² bytes, 0.2 GB for 57,418 rows of 4,992 features (1.1 GB). To train
// on mirrored images too, stack their rows below and tell [CVOptions].Groups
// which rows belong together.
//
// The penalty is λ/2·‖W‖² beside the mean loss, the bias being free. In
// scikit-learn's terms, C = 1/(λ·n); see [LambdaFromC].
package head

import (
	"fmt"

	"graft/graph/engine/sgemm"
)

// Linear is a softmax classifier: probabilities softmax(W·z + B) with
// z = (x − Mean)/Std, or z = x when Mean and Std are nil.
type Linear struct {
	Classes, Dim int
	W            []float32 // [Classes,Dim]
	B            []float32 // [Classes]
	Mean, Std    []float32 // [Dim] or nil; Std is positive
}

// check tells whether the fields fit together.
func (l *Linear) check() error {
	if l.Classes < 1 || l.Dim < 1 {
		return fmt.Errorf("linear head: %d classes of %d features", l.Classes, l.Dim)
	}
	if len(l.W) != l.Classes*l.Dim || len(l.B) != l.Classes {
		return fmt.Errorf("linear head: weight has %d elements and bias %d, want %d·%d and %d", len(l.W), len(l.B), l.Classes, l.Dim, l.Classes)
	}
	if l.Mean == nil && l.Std == nil {
		return nil
	}
	if len(l.Mean) != l.Dim || len(l.Std) != l.Dim {
		return fmt.Errorf("linear head: mean has %d elements and std %d, want %d", len(l.Mean), len(l.Std), l.Dim)
	}
	for j, s := range l.Std {
		if !(s > 0) {
			return fmt.Errorf("linear head: std of feature %d is %g, want above 0", j, s)
		}
	}
	return nil
}

// Logits returns W·z + B [n,Classes] for the rows of x [n,Dim]; threads 0 means all
// cores. Fields that do not fit together, or an x of another size, are a
// programmer's error and panic.
func (l *Linear) Logits(x []float32, n, threads int) []float32 {
	if len(x) != n*l.Dim {
		panic(fmt.Sprintf("head: %d rows of %d features need %d elements, got %d", n, l.Dim, n*l.Dim, len(x)))
	}
	z := make([]float32, n*l.Classes)
	scale := inverse(l.Std)
	rows := blockRows(l.Dim)
	sgemm.Threads(threads).For((n+rows-1)/rows, func(i int) {
		from, to := i*rows, min((i+1)*rows, n)
		block := x[from*l.Dim : to*l.Dim]
		if l.Mean != nil {
			buffer := takeBuffer(len(block))
			defer giveBuffer(buffer)
			standardize(*buffer, block, l.Mean, scale)
			block = *buffer
		}
		out := z[from*l.Classes : to*l.Classes]
		sgemm.Serial.Gemm(false, true, to-from, l.Classes, l.Dim, 1, block, l.Dim, l.W, l.Dim, 0, out, l.Classes)
		for j := range out {
			out[j] += l.B[j%l.Classes]
		}
	})
	return z
}

func inverse(std []float32) []float32 {
	scale := make([]float32, len(std))
	for j, s := range std {
		scale[j] = 1 / s
	}
	return scale
}

// LBFGSOptions are the settings of FitLBFGS.
type LBFGSOptions struct {
	// Lambda is the strength of the penalty λ/2·‖W‖² beside the weighted mean
	// loss, above 0. See LambdaFromC.
	Lambda float64
	// ClassWeights [classes] weigh the rows of each class, nil for ones. See Balanced.
	ClassWeights []float64
	// MaxIterations stops a fit that has not converged; 0 means 500.
	MaxIterations int
	// Tolerance is the estimated distance of the loss from its minimum, in nats,
	// at which a fit has converged; 0 means 1e-7.
	Tolerance float64
	// Start is a head to start from, nil for zeros.
	Start *Linear
	// Threads is the number of cores used; 0 means all.
	Threads int
	// Measured keeps what fits to all rows of the same features share; nil measures anew.
	Measured *Measured
}

// Measured is the standardisation and the second moments of features: what fits to
// the same rows have in common whatever their strength, start and class weights, so
// that sharing it changes no bit. The first fit fills it in. It is not safe for
// concurrent use.
type Measured struct {
	x                  []float32 // that it is of
	mean, std, moments []float32
}

// LambdaFromC gives λ for scikit-learn's C at n rows: 1/(C·n). Weights that do
// not average 1 count as that many rows.
func LambdaFromC(c float64, n int) float64 { return 1 / (c * float64(n)) }

// Balanced returns weights n/(classes·count) that make classes count alike, as
// scikit-learn's class_weight="balanced". A class without rows gets 0.
func Balanced(y []int, classes int) []float64 {
	w := make([]float64, classes)
	for _, k := range y {
		w[k]++
	}
	for k, count := range w {
		if count > 0 {
			w[k] = float64(len(y)) / (float64(classes) * count)
		}
	}
	return w
}

// Step is one iteration of a fit.
type Step struct {
	Iteration int
	Loss      float64 // weighted mean cross-entropy in nats plus penalty
	GradNorm  float64 // largest absolute component of its gradient
	Distance  float64 // estimate of the loss above its minimum
	Seconds   float64 // since the start of the fit
}

// Trace tells how a fit went. Steps are never empty: the first is the start.
type Trace struct {
	Lambda      float64
	Steps       []Step
	Evaluations int // of loss and gradient, each one pass over the features
	Converged   bool
}

// Last is the step that the fit ended with.
func (t Trace) Last() Step { return t.Steps[len(t.Steps)-1] }
