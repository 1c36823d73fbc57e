package extract

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"graft/preprocess"
	"graft/pretrained/store"
)

// How a batch is chosen by measurement.
const (
	autoBudget = 5 * time.Second // of inference, after the first two runs
	autoMost   = 256             // images per inference
	autoImages = 64              // read for it, and repeated in larger batches
	autoPasses = 3               // the ladder, and how often its steps are repeated
	// autoGain is what a larger batch must bring to be worth its memory; less is
	// not told from noise.
	autoGain = 1.02
	// autoBytes bounds pixels and features of the batches under way, not what the
	// network itself takes for each.
	autoBytes = 1 << 30
)

// BatchRate is what was measured of one number of images per inference, and of
// inferences at once.
type BatchRate struct {
	Batch           int     `json:"batch"`
	Streams         int     `json:"streams"`
	ImagesPerSecond float64 `json:"images_per_second"` // the best of several runs
}

// batchTuner measures how fast batches of several sizes run.
type batchTuner struct {
	run     func(ctx context.Context, n int) error // infers n images; streams of them run at once
	now     func() time.Time
	most    int // images per inference
	streams int
	spent   time.Duration
	budget  time.Duration
}

// choose doubles the batch from one image as long as that gains, twice without
// gain ends it, then tries half as many inferences at once with the best batch,
// which gains where these are in each other's way, and measures all steps again in
// turns as long as the budget lasts. It returns the step with the smallest batch
// of those within autoGain of the fastest, and what it measured. A batch that
// fails, as where memory ends, ends the climb; the first that does is an error.
func (c *batchTuner) choose(ctx context.Context) (BatchRate, []BatchRate, error) {
	if _, err := c.time(ctx, 1, c.streams); err != nil { // a first run makes plans and buffers
		return BatchRate{}, nil, err
	}
	c.spent = 0
	var rates []BatchRate
	best, since := BatchRate{}, 0
	for n := 1; n <= c.most && since < 2 && c.affords(rates, n*c.streams); n *= 2 {
		rate, err := c.warm(ctx, n, c.streams)
		if err != nil && (n == 1 || ctx.Err() != nil) {
			return BatchRate{}, nil, err
		}
		if err != nil {
			break
		}
		rates = append(rates, BatchRate{n, c.streams, rate})
		if since++; rate > best.ImagesPerSecond*autoGain {
			best, since = rates[len(rates)-1], 0
		}
	}
	if half := c.streams / 2; half > 0 && c.affords(rates, best.Batch*half) {
		rate, err := c.warm(ctx, best.Batch, half)
		if ctx.Err() != nil {
			return BatchRate{}, nil, ctx.Err()
		}
		if err == nil {
			rates = append(rates, BatchRate{best.Batch, half, rate})
		}
	}
	for range autoPasses - 1 {
		for i := range rates {
			r := &rates[i]
			if !c.affords(rates, r.Batch*r.Streams) {
				continue
			}
			rate, err := c.time(ctx, r.Batch, r.Streams)
			if err != nil {
				return BatchRate{}, nil, err
			}
			r.ImagesPerSecond = max(r.ImagesPerSecond, rate)
		}
	}
	return smallestFast(rates), rates, nil
}

// affords tells whether n images fit into what is left of the budget. The first
// two steps always do: there is no choice without them.
func (c *batchTuner) affords(rates []BatchRate, n int) bool {
	if len(rates) < 2 {
		return true
	}
	return c.spent.Seconds()+float64(n)/fastest(rates) <= c.budget.Seconds()
}

// warm times a size of batch that has not run yet. Where that is quick it is run
// again, because the first time pays for new buffers.
func (c *batchTuner) warm(ctx context.Context, n, streams int) (float64, error) {
	before := c.spent
	rate, err := c.time(ctx, n, streams)
	if err != nil || c.spent-before > c.budget/20 {
		return rate, err
	}
	return c.time(ctx, n, streams)
}

// time is the rate of one run in each of several streams.
func (c *batchTuner) time(ctx context.Context, n, streams int) (float64, error) {
	start := c.now()
	g, ctx := errgroup.WithContext(ctx)
	for range streams {
		g.Go(func() error { return c.run(ctx, n) })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	d := max(c.now().Sub(start), time.Nanosecond)
	c.spent += d
	return float64(n*streams) / d.Seconds(), nil
}

// smallestFast is the first step that is about as fast as the fastest: the smallest
// batch, and half of the streams only where that gains.
func smallestFast(rates []BatchRate) BatchRate {
	best := fastest(rates)
	i := slices.IndexFunc(rates, func(r BatchRate) bool { return r.ImagesPerSecond*autoGain >= best })
	return rates[i]
}

// fastest is the best rate of all steps.
func fastest(rates []BatchRate) (rate float64) {
	for _, r := range rates {
		rate = max(rate, r.ImagesPerSecond)
	}
	return rate
}

// tuneBatch sets c.Batch where it is left to measurement: to what the store was
// begun with, else, and c.streams too, to what is fastest on images of the dataset.
func (c *Config) tuneBatch(ctx context.Context, indices []int, taps []store.Tap) ([]BatchRate, error) {
	begun, err := store.Begun(c.Out)
	if err != nil {
		return nil, err
	}
	if begun != nil && begun.Batch > 0 {
		c.Batch = begun.Batch
		return nil, nil
	}
	var best BatchRate
	var rates []BatchRate
	ch, err := c.newBatchTuner(ctx, indices, taps)
	if err == nil {
		best, rates, err = ch.choose(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("choose a batch: %w", err)
	}
	c.Batch, c.streams = best.Batch, best.Streams
	return rates, nil
}

// newBatchTuner measures on images from all over the dataset.
func (c *Config) newBatchTuner(ctx context.Context, indices []int, taps []store.Tap) (*batchTuner, error) {
	images, err := c.sample(ctx, indices)
	if err != nil {
		return nil, err
	}
	bytes := len(images[0].Pix) * (c.streams + decodedAhead + c.underWay() + 4*c.streams) // decoded, and as float32 for foreign networks
	names := make([]string, len(taps))
	for i, t := range taps {
		names[i] = t.Name
		bytes += 4 * t.Dim * c.underWay()
	}
	bytes *= c.viewCount()
	run := func(ctx context.Context, n int) error {
		batch := make([]preprocess.Image, n)
		for i := range batch {
			batch[i] = images[i%len(images)]
		}
		out := make([][]float32, len(taps))
		for i, t := range taps {
			out[i] = make([]float32, n*t.Dim)
		}
		return c.Backbone.Run(ctx, batch, names, out)
	}
	most := min(autoMost, c.ShardRows, len(indices), max(1, autoBytes/bytes))
	return &batchTuner{run: run, now: time.Now, most: most, streams: c.streams, budget: autoBudget}, nil
}

// sample reads some of the selected images, evenly spaced, without the bad ones.
func (c *Config) sample(ctx context.Context, indices []int) ([]preprocess.Image, error) {
	var images []preprocess.Image
	var bad error
	for _, i := range evenly(indices, autoImages) {
		im, err := c.Data.Image(ctx, i)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			images = append(images, c.Backbone.Prepare(im))
		case c.tolerates(err):
			bad = err
		default:
			return nil, err
		}
	}
	if len(images) == 0 {
		return nil, fmt.Errorf("none of %d images can be read: %w", min(autoImages, len(indices)), bad)
	}
	return images, nil
}
