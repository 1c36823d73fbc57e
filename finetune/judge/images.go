package judge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/finetune/run"
	"graft/internal/parallel"
	"graft/internal/plural"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// evaluateImages judges straight from a dataset's images, without embeddings on
// disk: a head with its backbone, or where r is nil the file c.Run that package
// ship wrote, which does not say which images it was made with.
func evaluateImages(ctx context.Context, r *run.Run, c Config) (e Evaluation, err error) {
	c.Options.Runtime.Throughput = true
	var p *model.Predictor
	switch {
	case c.Embeddings != "" && r == nil:
		return e, fmt.Errorf("%s is a model from pixels: it is judged on images (--data), not on embeddings", c.Run)
	case c.Embeddings != "":
		return e, errors.New("embeddings and a dataset were both given; a head is judged on one of them")
	case c.Data.Path == "":
		return e, fmt.Errorf("%s does not say which dataset it was trained on; name one with --data", c.Run)
	case r == nil:
		p, err = model.OpenFile(ctx, c.Run, c.Options, c.Batch)
	default:
		p, err = model.OpenRun(ctx, r, c.Options, c.Batch)
	}
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return evaluate(ctx, p, c, r)
}

// evaluate judges a predictor on c.Data. r is the run that it is of, nil where
// that is not known.
func evaluate(ctx context.Context, p *model.Predictor, c Config, r *run.Run) (e Evaluation, err error) {
	d, noted, err := load.OpenAs(ctx, c.Data, p.Labels(), c.Run, c.Progress)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var sets *metrics.Sets
	if r != nil {
		if sets, err = conformalSets(r, c.Conformal); err != nil {
			return e, err
		}
	}
	splits, err := load.DatasetSplits(d).Judged(c.Splits)
	if err != nil {
		return e, err
	}
	source := load.Images{Dataset: d, Limit: c.Limit}
	var seen []duplicate.Content
	if r != nil {
		if seen, err = run.ReadSeen(r.Dir); err != nil {
			return e, err
		}
	}
	m, err := recall(ctx, seen, source)
	if err != nil {
		return e, err
	}
	e.Notes = slices.Concat(p.Notes(), load.LeftOut(d), noted, m.notes())
	e.Reports, err = judge(runName(c.Run), m, p.Labels(), splits, c.Predictions, func(split string) (answers, error) {
		a, bad, err := c.stream(p, d, split).answers(ctx, split)
		if bad != "" {
			e.Notes = append(e.Notes, bad)
		}
		a.sets = sets
		return a, err
	})
	if err != nil || r == nil {
		return e, err
	}
	other, err := otherData(ctx, r, source)
	e.Notes = append(e.Notes, other...)
	return e, err
}

// stream passes a dataset's images through a model.
func (c Config) stream(p *model.Predictor, d *dataset.Dataset, split string) stream {
	return stream{model: p, data: d, batch: p.BatchSize(), limit: c.Limit, skipBad: c.Data.SkipBad, classes: len(p.Labels()), temperature: p.Temperature(),
		progress: c.Progress.Of("classifying " + split + " (images)")}
}

// Pixels judges a run just trained, whose folder may hold nothing yet, straight from a dataset's images, on all splits that
// it was not trained on, and on its fold of train, if any, whose images have the numbers fold; seen are the images that it
// was trained on. The predictions are written to its folder. Of c, Progress, Limit and Data.SkipBad count.
func Pixels(ctx context.Context, r *run.Run, d *dataset.Dataset, c Config, runtime session.Options, seen []duplicate.Content, fold []int) (reports []metrics.Report, err error) {
	c.Options.Runtime = runtime
	c.Options.Runtime.Throughput = true
	p, err := model.OpenRun(ctx, r, c.Options, c.Batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	m, err := recall(ctx, seen, load.Images{Dataset: d, Limit: c.Limit})
	if err != nil {
		return nil, err
	}
	splits, name := load.DatasetSplits(d), r.Config.Fold
	held := splits.HeldOut()
	if name != "" {
		if err := splits.CheckFold(name); err != nil {
			return nil, err
		}
		held = append(held, name)
	}
	return judge(runName(r.Dir), m, p.Labels(), held, r.Dir, func(split string) (answers, error) {
		s := c.stream(p, d, split)
		if split == name {
			s.fold = fold
		}
		a, _, err := s.answers(ctx, split)
		return a, err
	})
}

// classifier turns images into rows of logits; see model.Predictor.
type classifier interface {
	Prepare(im preprocess.Image) preprocess.Image
	Classify(ctx context.Context, images []preprocess.Image, logits []float32) error
}

// stream passes a dataset's images through a model, batch after batch: while
// one is in the network, the next is read on all cores.
type stream struct {
	model       classifier
	data        *dataset.Dataset
	batch       int
	limit       int   // images of a split, 0 for all
	fold        []int // the images, of what is no split of the dataset; else nil
	skipBad     bool  // leave out bad images, of what are no photos too
	classes     int
	temperature float64
	progress    func(done, total int64) // may be nil
}

// pass is a batch on its way: images and their places in the dataset, or the error
// that ended the reading.
type pass struct {
	err      error
	indices  []int
	contents []duplicate.Content
	images   []preprocess.Image
	bad      []error // one by image, nil for those that were read
}

// answers classifies a split; bad is a note on the images left out, if any.
func (s stream) answers(ctx context.Context, split string) (a answers, bad string, err error) {
	indices := s.fold
	if indices == nil {
		if indices, err = s.data.Select([]string{split}, s.limit); err != nil {
			return a, "", err
		}
	}
	passes := make(chan *pass, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(passes)
		s.read(ctx, indices, passes)
		return nil
	})
	var logits []float32
	var first error
	left := 0
	g.Go(func() error {
		for p := range passes {
			if p.err != nil {
				return p.err
			}
			n, failed := p.drop()
			first, left = cmp.Or(first, failed), left+n
			if len(p.images) > 0 {
				at := len(logits)
				logits = append(logits, make([]float32, len(p.images)*s.classes)...)
				if err := s.model.Classify(ctx, p.images, logits[at:]); err != nil {
					return err
				}
			}
			a.Add(s.data, p.indices, p.contents)
			if s.progress != nil {
				s.progress(int64(len(a.Labels)+left), int64(len(indices)))
			}
		}
		return ctx.Err()
	})
	if err := g.Wait(); err != nil {
		return a, "", err
	}
	if len(a.Labels) == 0 {
		return a, "", fmt.Errorf("dataset %s, split %s: none of %s could be read: %w", s.data.Path, split, plural.Of(left, "image"), first)
	}
	if left > 0 {
		bad = fmt.Sprintf("%d of the %s of %s could not be read and are left out; the first: %v", left, plural.Of(len(indices), "image"), split, first)
	}
	return a.ofLogits(logits, s.classes, s.temperature), bad, nil
}

// read decodes and prepares the images, batch after batch. An error takes its turn behind
// the batches before it, so that which of two is told does not depend on the timing.
func (s stream) read(ctx context.Context, indices []int, passes chan<- *pass) {
	for from := 0; from < len(indices); from += s.batch {
		part := indices[from:min(from+s.batch, len(indices))]
		p := &pass{nil, part, make([]duplicate.Content, len(part)), make([]preprocess.Image, len(part)), make([]error, len(part))}
		err := parallel.For(ctx, len(part), nil, func(i int) error {
			im, err := s.data.Image(ctx, part[i])
			if err != nil {
				p.bad[i] = err
				return s.bearable(err)
			}
			p.contents[i], p.images[i] = s.data.Content(part[i], im), s.model.Prepare(im)
			return nil
		})
		p.err = err
		select {
		case passes <- p: // and with it what p holds
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// bearable is nil for what may be left out, by the same rule as extraction:
// images that are bad themselves, of photos without being asked.
func (s stream) bearable(err error) error {
	if (s.skipBad || s.data.Photos()) && errors.As(err, new(*preprocess.BadImageError)) {
		return nil
	}
	return err
}

// drop takes out the images that could not be read, and returns how many there
// were and the first's error.
func (p *pass) drop() (n int, first error) {
	kept := &pass{}
	for i, err := range p.bad {
		if err == nil {
			kept.indices, kept.images = append(kept.indices, p.indices[i]), append(kept.images, p.images[i])
			kept.contents = append(kept.contents, p.contents[i])
			continue
		}
		if n++; first == nil {
			first = err
		}
	}
	*p = *kept
	return n, first
}
