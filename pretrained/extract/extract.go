// Package extract turns a dataset and a frozen backbone into an embedding store.
//
// Decoding, inference and writing run side by side with bounded queues between
// them, so memory does not grow with the dataset. The selected samples are cut into
// fixed shards and the shards into fixed batches, so which images share a batch
// never depends on where an earlier run was broken off, and a resumed store ends
// with the bytes of an unbroken one.
package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/augment"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// DefaultShardRows is what zero means in a Config. 2,048 rows of 26 taps of width
// 192 are 40 MB in 26 files: large enough to be read fast, small enough that little
// work is lost.
const DefaultShardRows = 2048

// ViewAugment changes images for further views where nothing else is asked for: mirrored or
// not, turned by up to 12°, 15% larger or smaller, shifted by 6%, with up to 30% more or less contrast.
var ViewAugment = augment.Pipeline{HFlip: 0.5, Shift: 0.06, Rotate: 12, Scale: 0.15, Contrast: 0.3}

// Backbone is what extraction needs of a *pretrained.Backbone.
type Backbone interface {
	Name() string
	Hash() string
	Source() string
	Parameters() (int64, error)
	Preprocessing() preprocess.Spec
	Precision() string
	Provider() session.Provider
	RuntimeVersion() string
	Taps() []string
	Dim(tap string) int
	// Shape is that of a row of a tap that is no vector, else nil, and Tensor what
	// such a tap is of the model.
	Shape(tap string) []int
	Tensor(tap string) string
	Prepare(im preprocess.Image) preprocess.Image
	// Streams is how many calls of Run are worth making at once.
	Streams() int
	// DefaultBatch is how many images suit a call.
	DefaultBatch() int
	Run(ctx context.Context, batch []preprocess.Image, taps []string, out [][]float32) error
}

// Config says what to extract and where to.
type Config struct {
	Data     *dataset.Dataset
	Backbone Backbone
	Out      string // the store's folder
	// Taps are in the words of package taps; none: the first. Cuts such as tokens_8 have to
	// be among pretrained.Options.Taps too.
	Taps   []string
	Splits []string // none: all
	Flip   bool     // also the features of the mirrored images
	// Views asks for features of changed images of the train split; a Count of 0, or of
	// no more than the image and, with Flip, its mirror image, for none.
	Views     store.Views
	Batch     int    // images per inference, 0: Backbone.DefaultBatch; a store that was begun keeps its own
	AutoBatch bool   // take what a short measurement finds fastest instead of Batch
	KeepBatch bool   // refuse a store that was begun with another Batch
	ShardRows int    // samples per shard
	Limit     int    // samples per split, 0: all
	DType     string // float32 or float16; "": float16 of cuts, float32 of the others
	// Part is this process's share of the shards; the zero Part makes them all.
	Part store.Part
	// SkipBad leaves out every image that cannot be had, whatever the dataset.
	// Without it that is so for bad files of a set of photos alone: their
	// *preprocess.BadImageError is put on record, and the run goes on. Strict
	// makes an error of these too.
	SkipBad, Strict bool
	// Checked, which may be nil, is told how many files of the shards that are
	// there from an earlier run have been compared with their hashes.
	Checked func(done, total int64)
	// Note, which may be nil, is told how much a store with cuts or Views will take on disk.
	Note func(sentence string)

	streams int    // calls of Backbone.Run at once
	known   *known // the store that Extend adds to
}

// Provider is the provider to open a backbone on for the store at out: for Auto the one
// of a store that was begun there, so that no store mixes two engines, or of the file that File has made there, else p.
func Provider(out string, p session.Provider) (session.Provider, error) {
	file := ""
	if ToFile(out) {
		file, out = out, Unfinished(out)
	}
	if err := placeOf(out).recover(); err != nil {
		return "", err // first of all: the backbone to open may lie in the store
	}
	if p != session.Auto && p != "" {
		return p, nil
	}
	if info, _, err := store.ReadFileInfo(file); file != "" && err == nil { // File tells of others
		return session.Provider(info.Backbone.Provider), nil
	}
	begun, err := store.Begun(out)
	if err != nil || begun == nil {
		return p, err
	}
	return session.Provider(begun.Backbone.Provider), nil
}

// Summary says what a run did.
type Summary struct {
	Store   string         `json:"store"`
	Part    string         `json:"part"`             // I/N: this process's share, 0/1 for all
	Rows    int            `json:"rows"`             // of the part
	Resumed int            `json:"resumed"`          // samples that earlier runs had finished
	Redone  int            `json:"redone"`           // samples of shards found damaged and made again
	Reused  int            `json:"reused,omitempty"` // images whose features Extend took over
	Bad     []store.BadRow `json:"bad"`              // left out by the part
	Taps    []store.Tap    `json:"taps"`
	Batch   int            `json:"batch"`   // images per inference
	Streams int            `json:"streams"` // inferences at once
	// BatchRates are what Batch was chosen by, if it was measured.
	BatchRates []BatchRate `json:"batch_rates,omitempty"`
	// State is of the whole store, all parts together.
	State store.State `json:"state"`
	// Provider is the execution provider that really ran.
	Provider string  `json:"provider"`
	Seconds  float64 `json:"seconds"`
	// ImagesPerSecond is this run's rate: images, not counting mirrored ones apart.
	ImagesPerSecond float64 `json:"images_per_second"`
}

// Run extracts, or goes on with, the store at c.Out. progress, which may be nil,
// is told samples done and in total. When ctx ends or an error comes, finished
// shards stay; a later Run goes on from them. A store made with other settings gives
// a *store.MismatchError. Where other parts have shards left to make the store is
// unfinished, which is no error: Summary.State tells.
func Run(ctx context.Context, c Config, progress func(done, total int64)) (Summary, error) {
	start := time.Now()
	if err := placeOf(c.Out).recover(); err != nil {
		return Summary{}, err
	}
	indices, manifest, err := c.plan(ctx)
	if err != nil {
		return Summary{}, err
	}
	var rates []BatchRate
	if c.AutoBatch {
		if rates, err = c.tuneBatch(ctx, indices, manifest.Taps); err != nil {
			return Summary{}, fmt.Errorf("extract: %w", err)
		}
		manifest.Batch = c.Batch
		start = time.Now() // measuring is not part of the rate
	}
	w, err := c.openWriter(ctx, manifest, indices)
	if err != nil {
		return Summary{}, err
	}
	if n := w.Manifest().Batch; n > 0 {
		c.Batch = n
	}
	p := newPipeline(&c, w, indices, progress)
	if err := errors.Join(c.refuseBad(w.Finished()), ctx.Err()); err != nil {
		return Summary{}, errors.Join(err, w.Close())
	}
	news := p.total > p.resumed
	if err = p.run(ctx); err == nil && news {
		err = c.unchanged(ctx, manifest.Dataset.Fingerprint)
	}
	var state store.State
	if err == nil {
		state, err = w.Finish(ctx, c.look)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return Summary{}, fmt.Errorf("extract to %s: %w", c.Out, err)
	}
	sum := p.summary(state, time.Since(start))
	sum.BatchRates = rates
	return sum, nil
}

// unchanged looks whether the image files are those of before: what was changed meanwhile would stand under the
// fingerprint of what it was.
func (c *Config) unchanged(ctx context.Context, before string) error {
	if !c.Data.Photos() {
		return nil // read when it was opened, or drawn
	}
	after, err := c.Data.Fingerprint(ctx)
	if err == nil && after != before {
		err = fmt.Errorf("images of %s were changed while their features were computed, which may be of either: remove %s and extract anew once nobody writes to the images", c.Data.Path, c.Out)
	}
	return err
}

// plan settles everything that is fixed before the first image.
func (c *Config) plan(ctx context.Context) ([]int, store.Manifest, error) {
	if err := c.defaults(); err != nil {
		return nil, store.Manifest{}, fmt.Errorf("extract: %w", err)
	}
	names, err := taps.Resolve("backbone "+c.Backbone.Name(), c.Backbone.Taps(), c.Taps, taps.First)
	if err != nil {
		return nil, store.Manifest{}, err
	}
	indices, err := c.Data.Select(c.Splits, c.Limit)
	if err != nil {
		return nil, store.Manifest{}, err
	}
	if len(indices) == 0 {
		return nil, store.Manifest{}, fmt.Errorf("extract: %s has no images in the chosen splits", c.Data.Path)
	}
	if c.Views.Count > 0 && c.trainOf(indices) == 0 {
		return nil, store.Manifest{}, fmt.Errorf("extract: views are of the %s split, of which %s has no images in the chosen splits", dataset.Train, c.Data.Path)
	}
	fingerprint, err := c.Data.Fingerprint(ctx)
	if err != nil {
		return nil, store.Manifest{}, err
	}
	parameters, err := c.Backbone.Parameters()
	if err != nil {
		return nil, store.Manifest{}, err
	}
	m := store.Manifest{
		Backbone: store.Backbone{
			Name: c.Backbone.Name(), SHA256: c.Backbone.Hash(), Source: c.Backbone.Source(), Parameters: parameters,
			Preprocessing: c.Backbone.Preprocessing(), Precision: c.Backbone.Precision(),
			Provider: string(c.Backbone.Provider()), Runtime: c.Backbone.RuntimeVersion(),
		},
		Dataset: store.Dataset{
			Name: c.Data.Name(), Fingerprint: fingerprint,
			Classes: c.Data.Classes, Splits: c.splits(), Limit: c.Limit, GroupBy: c.Data.GroupBy, From: new(c.Data.Ref()), LeftOut: c.Data.Bad,
		},
		Flip: c.Flip, DType: store.DType(cmp.Or(c.DType, string(store.Float32))), Batch: c.Batch, ShardRows: c.ShardRows, Samples: len(indices),
	}
	for _, name := range names {
		t := store.Tap{Name: name, Dim: c.Backbone.Dim(name)}
		if taps.Cut(name) {
			t.Shape, t.Tensor = c.Backbone.Shape(name), c.Backbone.Tensor(name)
			if len(t.Shape) < 2 {
				t.Shape = nil
			}
			if c.DType == "" {
				t.DType = store.Float16
			}
		}
		m.Taps = append(m.Taps, t)
	}
	if c.known != nil {
		m.DType = store.DType(cmp.Or(c.DType, string(c.known.manifest.DType)))
		m.Taps = c.known.with(m.Taps)
	}
	if c.Views.Count > 0 {
		m.Views = &c.Views
	}
	return indices, m, nil
}

// defaults fills in what was left open and checks the rest.
func (c *Config) defaults() error {
	if c.Data == nil || c.Backbone == nil || c.Out == "" {
		return errors.New("dataset, backbone and output folder are needed")
	}
	if c.Batch == 0 {
		c.Batch = min(c.Backbone.DefaultBatch(), store.MaxBatch)
	}
	c.streams = c.Backbone.Streams()
	if c.ShardRows == 0 {
		c.ShardRows = DefaultShardRows
	}
	switch fixed := c.fixedViews(); {
	case c.Views.Count == fixed:
		c.Views = store.Views{}
	case c.Views.Count != 0 && c.Views.Count < fixed:
		return fmt.Errorf("%d views of an image, but the image and its mirror image are %d", c.Views.Count, fixed)
	}
	if c.Batch < 1 || c.Batch > store.MaxBatch {
		return fmt.Errorf("batch of %d images, wanted 1 to %d", c.Batch, store.MaxBatch)
	}
	return nil
}

// fixedViews are those of every image, and viewCount all of an image of the train split.
func (c *Config) fixedViews() int { return map[bool]int{false: 1, true: 2}[c.Flip] }

func (c *Config) viewCount() int { return max(c.fixedViews(), c.Views.Count) }

// look is the content of an image.
func (c *Config) look(ctx context.Context, index int) (duplicate.Content, error) {
	im, err := c.Data.Image(ctx, index)
	if err != nil {
		return duplicate.Content{}, err
	}
	return c.Data.Content(index, im), nil
}

// splits lists the chosen splits in the dataset's order.
func (c *Config) splits() []string {
	var out []string
	for _, s := range c.Data.Splits {
		if len(c.Splits) == 0 || slices.Contains(c.Splits, s) {
			out = append(out, s)
		}
	}
	return out
}

// tolerates tells whether an image that failed with err is left out.
func (c *Config) tolerates(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false // it says nothing of the image
	}
	return c.SkipBad || !c.Strict && c.Data.Photos() && errors.As(err, new(*preprocess.BadImageError))
}

// refuseBad stops a run that must not leave images out from going on with a store
// that did.
func (c *Config) refuseBad(finished []store.Record) error {
	if c.SkipBad || !c.Strict && c.Data.Photos() {
		return nil
	}
	for _, s := range finished {
		if len(s.Bad) > 0 {
			return fmt.Errorf("store %s leaves out %s (%s); go on with it by skipping bad images (--skip-bad, not --strict), or mend the dataset and use another folder",
				c.Out, s.Bad[0].ID, s.Bad[0].Reason)
		}
	}
	return nil
}
