package head

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// FitLBFGS fits a multinomial logistic regression to the rows of x [n,d], their
// labels y [n] in [0,classes) and the strength o.Lambda. It uses gonum's L-BFGS
// in preconditioned variables. The result is the same bits for the same input
// on any number of threads of one kind of processor. A fit that ends before it
// has converged is no error; Trace tells.
func FitLBFGS(ctx context.Context, x []float32, n, d int, y []int, classes int, o LBFGSOptions) (*Linear, Trace, error) {
	began := time.Now()
	p, err := newProblem(x, n, d, y, classes, o)
	if err == nil {
		err = p.measureOnce(o.Measured)
	}
	if err != nil {
		return nil, Trace{}, err
	}
	return p.fit(ctx, o, began)
}

// minimizer is one run of gonum's L-BFGS.
type minimizer struct {
	ctx context.Context
	*problem
	*conditioner
	began     time.Time
	tolerance float64

	// The last evaluation; gonum asks for value and gradient one by one.
	at, grad, theta, thetaGrad []float64
	value                      float64

	trace Trace
}

// fit minimises the objective at o.Lambda. Its trace counts time from began.
func (p *problem) fit(ctx context.Context, o LBFGSOptions, began time.Time) (*Linear, Trace, error) {
	if !(o.Lambda > 0) || math.IsInf(o.Lambda, 1) {
		return nil, Trace{}, fmt.Errorf("strength λ is %g, want above 0", o.Lambda)
	}
	m := &minimizer{ctx: ctx, problem: p, began: began, tolerance: cmp.Or(o.Tolerance, 1e-7)}
	p.lambda = o.Lambda
	m.trace.Lambda = o.Lambda
	var err error
	if m.conditioner, err = newConditioner(p.moments, p.d, p.classes, o.Lambda, p.threads); err != nil {
		return nil, Trace{}, err
	}
	theta := make([]float64, p.size())
	if o.Start != nil {
		if err := p.startFrom(theta, o.Start); err != nil {
			return nil, Trace{}, err
		}
	}
	if err := m.run(theta, cmp.Or(o.MaxIterations, 500)); err != nil {
		return nil, Trace{}, err
	}
	return p.linear(m.theta), m.trace, nil
}

// run minimises from θ and leaves the outcome in m.theta.
func (m *minimizer) run(theta []float64, iterations int) error {
	n := len(theta)
	m.at, m.grad, m.theta, m.thetaGrad = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	start := make([]float64, n)
	m.enter(start, theta)
	m.at[0] = math.NaN() // nothing evaluated yet
	// gonum counts the start as an iteration.
	result, err := optimize.Minimize(optimize.Problem{
		Func:   func(v []float64) float64 { m.evaluate(v); return m.value },
		Grad:   func(g, v []float64) { m.evaluate(v); copy(g, m.grad) },
		Status: m.status,
	}, start, &optimize.Settings{Converger: converger{m}, MajorIterations: iterations + 1}, &optimize.LBFGS{Store: 10})
	if cause := m.ctx.Err(); cause != nil {
		return cause
	}
	if result == nil {
		return fmt.Errorf("l-bfgs: %w", err)
	}
	// An error with a result is a line search to which float32 leaves no smaller
	// value close to the minimum: the trace says that it did not converge.
	m.evaluate(result.X)
	if math.IsNaN(m.value) || math.IsInf(m.value, 0) {
		return fmt.Errorf("l-bfgs: loss is %g", m.value)
	}
	if len(m.trace.Steps) == 0 { // started where the gradient is 0
		m.record()
	}
	m.trace.Converged = m.distance() <= m.tolerance
	return nil
}

// evaluate sets value, theta and both gradients to those at v.
func (m *minimizer) evaluate(v []float64) {
	if floats.Equal(v, m.at) {
		return
	}
	copy(m.at, v)
	m.leave(m.theta, v)
	m.value = m.problem.evaluate(m.theta, m.thetaGrad)
	m.gradient(m.grad, m.thetaGrad)
	m.trace.Evaluations++
}

// distance estimates how far the loss is above its minimum: by half the squared
// gradient, were the Hessian the identity, which the conditioner aims at.
func (m *minimizer) distance() float64 { return floats.Dot(m.grad, m.grad) / 2 }

// record notes the last evaluation as a step.
func (m *minimizer) record() (distance float64) {
	s := Step{Iteration: len(m.trace.Steps), Loss: m.value, Distance: m.distance(),
		GradNorm: floats.Norm(m.thetaGrad, math.Inf(1)), Seconds: time.Since(m.began).Seconds()}
	m.trace.Steps = append(m.trace.Steps, s)
	return s.Distance
}

// status stops a run that is no longer wanted.
func (m *minimizer) status() (optimize.Status, error) {
	if err := m.ctx.Err(); err != nil {
		return optimize.Failure, err
	}
	return optimize.NotTerminated, nil
}

// converger makes a minimizer gonum's judge of convergence, asked once a step.
type converger struct{ *minimizer }

func (c converger) Init(int) {}

func (c converger) Converged(l *optimize.Location) optimize.Status {
	c.evaluate(l.X) // as a rule the last evaluation
	if c.record() <= c.tolerance {
		return optimize.FunctionConvergence
	}
	return optimize.NotTerminated
}
