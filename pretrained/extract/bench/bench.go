// Package bench measures what extraction costs beside the network itself: the
// whole pipeline, from a dataset to a store on disk, against a bare ONNX Runtime
// session on the same graph, batch and threads.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"graft/internal/bench"
	"graft/onnx/ort"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/vit"
)

// The names of the cases.
const (
	CaseSession = "extract/bare-session"
	CaseExtract = "extract/pipeline"
)

// side is that of the random images: FER2013's.
const side = 48

// Config says what to measure.
type Config struct {
	Model   string // a backbone that graft exported; "" draws random weights
	Arch    string // of the random backbone, "" for vit_b_16
	Seed    uint64
	Batch   int
	Images  int // per round, rounded up to whole batches
	Rounds  int
	Runtime ort.Options // Outputs are settled here
	Dir     string      // where temporary files go, "" for the system's place
}

// Run measures both ways in turns. progress, which may be nil, counts halves of
// rounds.
func Run(ctx context.Context, c Config, progress func(done, total int64)) (cases []bench.Case, err error) {
	if c.Batch < 1 || c.Images < 1 || c.Rounds < 1 {
		return nil, fmt.Errorf("bench: batch %d, images %d and rounds %d must be positive", c.Batch, c.Images, c.Rounds)
	}
	c.Images = (c.Images + c.Batch - 1) / c.Batch * c.Batch
	if c.Dir, err = os.MkdirTemp(c.Dir, "graft-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Dir)) }()
	r, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	pairs, err := r.measure(ctx, progress)
	if err != nil {
		return nil, err
	}
	return r.cases(pairs), nil
}

// rig is what both sides need, set up before the clock starts.
type rig struct {
	Config
	data     *dataset.Dataset
	backbone *pretrained.Backbone
	bare     *ort.Session
	tap      string
	stores   int
}

func open(ctx context.Context, c Config) (r *rig, err error) {
	r = &rig{Config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.Model == "" {
		if r.Model, err = r.randomModel(ctx); err != nil {
			return r, err
		}
	}
	if r.data, err = r.randomImages(ctx); err != nil {
		return r, err
	}
	// No word is the first tap.
	if r.backbone, err = pretrained.Open(r.Model, pretrained.Options{Runtime: c.Runtime, Taps: []string{}}); err != nil {
		return r, err
	}
	r.tap = r.backbone.Taps()[0]
	o := c.Runtime
	o.Provider, o.Outputs = r.backbone.Provider(), []string{r.tap}
	r.bare, err = ort.Open(r.Model, o)
	return r, err
}

func (r *rig) randomModel(ctx context.Context) (string, error) {
	if r.Arch == "" {
		r.Arch = "vit_b_16"
	}
	m, err := vit.Random(r.Arch, r.Seed, 0)
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Dir, r.Arch+".onnx")
	return path, m.Export(ctx, path, vit.ExportOptions{})
}

// randomImages writes seeded random faces as a FER2013 file and opens that, so
// that the measured pipeline begins with a real reader.
func (r *rig) randomImages(ctx context.Context) (*dataset.Dataset, error) {
	path := filepath.Join(r.Dir, "random.csv")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	fmt.Fprint(w, "emotion,pixels,Usage\n")
	for i := range r.Images {
		fmt.Fprintf(w, "%d,", i%7)
		line := make([]byte, 0, 4*side*side)
		for p := range side * side {
			if p > 0 {
				line = append(line, ' ')
			}
			line = strconv.AppendUint(line, uint64(rng.Uint32N(256)), 10)
		}
		w.Write(line)
		fmt.Fprint(w, ",Training\n")
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return nil, err
	}
	return dataset.Open(ctx, path, dataset.Options{}, nil)
}

// measure warms both sides up, then takes turns.
func (r *rig) measure(ctx context.Context, progress func(done, total int64)) (bench.Pairs, error) {
	for _, warm := range []bench.Work{r.session(1), r.pipeline(r.Batch)} {
		if _, err := warm(ctx); err != nil {
			return bench.Pairs{}, err
		}
	}
	return bench.Alternate(ctx, r.Rounds, r.session(r.Images/r.Batch), r.pipeline(r.Images), progress)
}

// session runs batches of random pixels through the bare session.
func (r *rig) session(batches int) bench.Work {
	rng := rand.New(rand.NewPCG(r.Seed, 1))
	pixels := make([]uint8, r.Batch*side*side)
	for i := range pixels {
		pixels[i] = uint8(rng.Uint32())
	}
	n, dim := int64(r.Batch), r.backbone.Dim(r.tap)
	in := []ort.Tensor{{Name: "pixels", Shape: []int64{n, 1, side, side}, Data: pixels}}
	out := []ort.Tensor{{Name: r.tap, Shape: []int64{n, int64(dim)}, Data: make([]float32, r.Batch*dim)}}
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		for range batches {
			if err := r.bare.Run(ctx, in, out); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

// pipeline extracts images into a new store, which is then removed.
func (r *rig) pipeline(images int) bench.Work {
	return func(ctx context.Context) (time.Duration, error) {
		r.stores++
		out := filepath.Join(r.Dir, fmt.Sprintf("store-%d", r.stores))
		start := time.Now()
		_, err := extract.Run(ctx, extract.Config{Data: r.data, Backbone: r.backbone, Out: out, Batch: r.Batch, Limit: images}, nil)
		d := time.Since(start)
		return d, errors.Join(err, os.RemoveAll(out))
	}
}

func (r *rig) cases(p bench.Pairs) []bench.Case {
	one := func(name string, d []time.Duration) bench.Case {
		s := bench.Median(bench.Seconds(d))
		return bench.Case{
			Name: name, Unit: "images", Seconds: s, ItemsPerSecond: float64(r.Images) / s,
			Provider: string(r.backbone.Provider()), Precision: r.backbone.Precision(), Batch: r.Batch,
		}
	}
	bare, pipe := one(CaseSession, p.A), one(CaseExtract, p.B)
	pipe.Baseline, pipe.Ratios = CaseSession, p.Ratios()
	pipe.Ratio = bench.Median(pipe.Ratios)
	return []bench.Case{bare, pipe}
}

func (r *rig) close() error {
	var errs []error
	if r.data != nil {
		errs = append(errs, r.data.Close())
	}
	if r.backbone != nil {
		errs = append(errs, r.backbone.Close())
	}
	if r.bare != nil {
		errs = append(errs, r.bare.Close())
	}
	return errors.Join(errs...)
}
