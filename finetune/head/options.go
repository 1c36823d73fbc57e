package head

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
