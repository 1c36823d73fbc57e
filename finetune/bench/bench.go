// Package bench measures how fast this machine fits heads, trains the study's
// networks and multiplies matrices. All inputs are random, never zeros, on which
// some kernels take short cuts.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"graft/finetune/nets"
	"graft/internal/measure"
)

// The words for the cases.
const (
	// Head is a whole fit of a logistic regression to features, in rows a second.
	Head = nets.KindHead
	// CNN and ViT are the study's networks trained by the study's recipe, data
	// in memory, in images a second.
	CNN = nets.KindCNN
	ViT = nets.KindViT
	// SGEMM is graft's float32 matrix product against ONNX Runtime's MatMul, in
	// turns, in 10⁹ additions and multiplications a second.
	SGEMM = "sgemm"
)

// Words lists the cases that Run knows.
func Words() []string { return []string{Head, CNN, ViT, SGEMM} }

// What a case's items are.
const (
	rowUnit   = "rows"
	imageUnit = "images"
	flopUnit  = "GFLOP"
)

// What cases that graft computes itself say of how.
const (
	provider  = "go"
	precision = "float32"
)

// The defaults of Config, sizes of FER2013 and of ViT-B/16.
const (
	DefaultRows = 28709 // the training faces
	DefaultDim  = 768   // features of one tap
)

const (
	classes = 7
	// defaultWork lets a round of products outlast the moment for which the
	// other side's threads still spin: a quarter of a second at 160 GFLOP/s.
	defaultWork = 40
)

// Config says what to measure. Zeros mean defaults, but for Rounds.
type Config struct {
	Rounds  int // timed ones, after one that warms up; medians are reported
	Threads int // CPU threads, 0 for as many as Go may use
	Seed    uint64

	Rows, Dim int // features of Head: DefaultRows, DefaultDim

	Images int // per round of CNN and ViT: DefaultRows, which makes a round an epoch
	Batch  int // images per step: the study's 32

	Products []Product // of SGEMM: defaultProducts
	Work     float64   // GFLOP of a product's repetitions in each round: 40
}

// check refuses what is out of range and fills in the defaults.
func (c *Config) check() error {
	if c.Rounds < 1 {
		return fmt.Errorf("%d rounds, want at least one", c.Rounds)
	}
	for _, p := range []struct {
		name    string
		value   *int
		initial int
	}{{"threads", &c.Threads, 0}, {"rows", &c.Rows, DefaultRows}, {"dim", &c.Dim, DefaultDim}, {"images", &c.Images, DefaultRows}, {"batch", &c.Batch, 0}} {
		if *p.value < 0 {
			return fmt.Errorf("%s %d, want 0 or more", p.name, *p.value)
		}
		*p.value = cmp.Or(*p.value, p.initial)
	}
	if !(c.Work >= 0) {
		return fmt.Errorf("work of %g GFLOP, want 0 or more", c.Work)
	}
	c.Work = cmp.Or(c.Work, defaultWork)
	if c.Products == nil {
		c.Products = defaultProducts()
	}
	var err error
	for _, p := range c.Products {
		err = errors.Join(err, p.check())
	}
	return err
}

// Run measures the case of a word. progress, which may be nil, counts rounds, or
// images where there are any.
func Run(ctx context.Context, word string, c Config, progress func(done, total int64)) (cases []measure.Case, err error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	switch word {
	case Head:
		cases, err = c.head(ctx, progress)
	case CNN, ViT:
		cases, err = c.network(ctx, word, progress)
	case SGEMM:
		cases, err = c.products(ctx, progress)
	default:
		return nil, fmt.Errorf("bench: unknown case %q, want one of %s", word, strings.Join(Words(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("bench %s: %w", word, err)
	}
	return cases, nil
}

// measured is a case of which every round did as many items.
func measured(name string, items float64, unit string, batch int, rounds []time.Duration) measure.Case {
	s := measure.Median(measure.Seconds(rounds))
	return measure.Case{Name: name, Unit: unit, ItemsPerSecond: items / s, Seconds: s, Provider: provider, Precision: precision, Batch: batch}
}
