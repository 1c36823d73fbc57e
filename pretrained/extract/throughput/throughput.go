// Package throughput measures what extraction costs beside the network itself: the
// whole pipeline, from a dataset to a store on disk, against a bare ONNX Runtime
// session on the same graph, pixels, batch, threads and number of calls at once.
//
// The dataset is faces in a FER2013 file, which cost next to nothing to read, or
// a folder of photographs, whose decoding may take as long as the network.
package throughput

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"graft/internal/atomicfile"
	"graft/internal/measure"
	"graft/onnx/session"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/vit"
)

// The names of the cases, those of photographs with "-jpeg" behind the first word.
const (
	caseSession = "extract/bare-session"
	caseExtract = "extract/pipeline"

	casePhotoSession = "extract-jpeg/bare-session"
	casePhotoDecode  = "extract-jpeg/decode-one-core"
	casePhotoExtract = "extract-jpeg/pipeline"
)

// Config says what to measure.
type Config struct {
	Model   string // a backbone that graft exported; "" draws random weights
	Arch    string // of the random backbone, "" for vit_b_16
	Seed    uint64
	Batch   int  // images per inference, 0: what suits the backbone
	Images  int  // per round, rounded up to whole batches in every stream
	Photos  bool // a folder of JPEG photographs instead of faces
	Rounds  int
	Runtime session.Options // Outputs are settled here
	Dir     string          // where temporary files go, "" for the system's place
}

// Run measures both ways in turns. progress, which may be nil, counts halves of
// rounds.
func Run(ctx context.Context, c Config, progress func(done, total int64)) (cases []measure.Case, err error) {
	if c.Batch < 0 || c.Images < 1 || c.Rounds < 1 {
		return nil, fmt.Errorf("bench: batch %d must not be negative, images %d and rounds %d must be positive", c.Batch, c.Images, c.Rounds)
	}
	dir, release, err := atomicfile.TempDir(filepath.Join(cmp.Or(c.Dir, os.TempDir()), "graft-bench"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	c.Dir = dir
	r, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	pairs, err := r.measure(ctx, progress)
	if err != nil || !c.Photos {
		return r.cases(pairs, caseSession, caseExtract), err
	}
	return r.photoCases(ctx, pairs)
}

// rig is what both sides need, set up before the clock starts.
type rig struct {
	Config
	data     *dataset.Dataset
	backbone *pretrained.Backbone
	bare     session.Session
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
	c.Runtime.Throughput = true
	// No word is the first tap.
	file, err := pretrained.OpenFile(r.Model)
	if err != nil {
		return r, err
	}
	if r.backbone, err = file.Open(ctx, pretrained.Options{Runtime: c.Runtime, Taps: []string{}}); err != nil {
		return r, err
	}
	r.tap = r.backbone.Taps()[0]
	if r.Batch == 0 {
		r.Batch = r.backbone.DefaultBatch()
	}
	o := c.Runtime
	o.Provider, o.Outputs = r.backbone.Provider(), []string{r.tap}
	if r.bare, err = file.OpenSession(ctx, o); err != nil {
		return r, err
	}
	each := r.Batch * r.bare.Streams()
	r.Images = (r.Images + each - 1) / each * each
	draw := r.drawFaces
	if r.Photos {
		draw = r.drawPhotos
	}
	r.data, err = draw(ctx)
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

// measure warms both sides up, then takes turns.
func (r *rig) measure(ctx context.Context, progress func(done, total int64)) (measure.Pairs, error) {
	in, err := r.input(ctx)
	if err != nil {
		return measure.Pairs{}, err
	}
	for _, warm := range []measure.Work{r.session(in, 1), r.pipeline(r.Batch * r.bare.Streams())} {
		if _, err := warm(ctx); err != nil {
			return measure.Pairs{}, err
		}
	}
	return measure.Alternate(ctx, r.Rounds, r.session(in, r.Images/r.Batch/r.bare.Streams()), r.pipeline(r.Images), progress)
}

// input is the first batch as the pipeline would feed it.
func (r *rig) input(ctx context.Context) (session.Tensor, error) {
	in := session.Tensor{Name: "pixels"}
	var pixels []uint8
	for i := range r.Batch {
		im, err := r.data.Image(ctx, i)
		if err != nil {
			return in, err
		}
		im = r.backbone.Prepare(im)
		in.Shape = []int64{int64(r.Batch), int64(im.C), int64(im.H), int64(im.W)}
		pixels = append(pixels, im.Pix...)
	}
	in.Data = pixels
	return in, nil
}

// session runs batches of equal pixels through the bare session, so many in each
// of its streams.
func (r *rig) session(in session.Tensor, batches int) measure.Work {
	n, dim := int64(r.Batch), r.backbone.Dim(r.tap)
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		g, ctx := errgroup.WithContext(ctx)
		for range r.bare.Streams() {
			g.Go(func() error {
				out := []session.Tensor{{Name: r.tap, Shape: []int64{n, int64(dim)}, Data: make([]float32, r.Batch*dim)}}
				for range batches {
					if err := r.bare.Run(ctx, []session.Tensor{in}, out); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := g.Wait()
		return time.Since(start), err
	}
}

// pipeline extracts images into a new store, which is then removed.
func (r *rig) pipeline(images int) measure.Work {
	return func(ctx context.Context) (time.Duration, error) {
		r.stores++
		out := filepath.Join(r.Dir, fmt.Sprintf("store-%d", r.stores))
		start := time.Now()
		_, err := extract.Run(ctx, extract.Config{Data: r.data, Backbone: r.backbone, Out: out, Batch: r.Batch, Limit: images}, nil)
		d := time.Since(start)
		return d, errors.Join(err, os.RemoveAll(out))
	}
}

func (r *rig) cases(p measure.Pairs, session, pipeline string) []measure.Case {
	if len(p.A) == 0 {
		return nil
	}
	bare, pipe := r.oneCase(session, p.A), r.oneCase(pipeline, p.B)
	pipe.Baseline, pipe.Ratios = session, p.Ratios()
	pipe.Ratio = measure.Median(pipe.Ratios)
	return []measure.Case{bare, pipe}
}

func (r *rig) oneCase(name string, d []time.Duration) measure.Case {
	s := measure.Median(measure.Seconds(d))
	return measure.Case{
		Name: name, Unit: "images", Seconds: s, ItemsPerSecond: float64(r.Images) / s,
		Provider: string(r.backbone.Provider()), Precision: r.backbone.Precision(), Batch: r.Batch, Streams: r.backbone.Streams(),
	}
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
