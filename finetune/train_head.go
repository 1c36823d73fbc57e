package finetune

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/internal/filehash"
	"graft/onnx"
	"graft/pretrained/store"
)

// HeadConfig says how to train a head. Only Embeddings and Out are needed.
type HeadConfig struct {
	Embeddings   string   // the store's folder
	Out          string   // the run's folder, to be made
	Taps         []string // words as the store's ResolveTaps takes them; none: all it holds
	Model        string   // the backbone's ONNX file; empty: looked for beside the store
	Recipe       string   // RecipeLBFGS (also ""), RecipeStudy or RecipeStrong
	Lambda       *float64 // strength of RecipeLBFGS, above 0: the penalty is λ/2·‖W‖² beside the mean loss; nil: chosen
	ClassWeights string   // WeightsNone (also "") or WeightsBalanced
	UseFlip      bool     // train on mirrored images too, and average both's logits at test
	// Descent is how the other recipes train; nil for their defaults. Its class weights are ClassWeights, and its
	// seed is Seed.
	Descent *Descent
	Seed    uint64
	Force   bool   // replace the run at Out
	Version string // of the program, for the record
}

// HeadDescent is how a recipe other than RecipeLBFGS trains heads by default.
func HeadDescent(name string) (*Descent, error) {
	r, err := findRecipe(nets.KindHead, name)
	if err != nil {
		return nil, err
	}
	return &Descent{Fit: r.fit}, nil
}

// Check fills in defaults and refuses settings that contradict each other.
func (c *HeadConfig) Check() error {
	if c.Recipe == "" {
		c.Recipe = RecipeLBFGS
	}
	if c.ClassWeights == "" {
		c.ClassWeights = WeightsNone
	}
	switch {
	case c.Embeddings == "":
		return errors.New("no embedding store was given")
	case c.Out == "":
		return errors.New("no folder for the run was given")
	case c.ClassWeights != WeightsNone && c.ClassWeights != WeightsBalanced:
		return fmt.Errorf("class weights %q; known are %s and %s", c.ClassWeights, WeightsNone, WeightsBalanced)
	case c.Lambda != nil && !(*c.Lambda > 0 && finite(*c.Lambda)):
		return fmt.Errorf("lambda %g, want a number above 0", *c.Lambda)
	case c.Recipe == RecipeLBFGS && c.Descent != nil:
		return fmt.Errorf("recipe %s has no settings of gradient descent", RecipeLBFGS)
	case c.Recipe == RecipeLBFGS:
		return nil
	case c.Lambda != nil:
		return fmt.Errorf("recipe %s has no strength", c.Recipe)
	}
	return c.checkDescent()
}

func (c *HeadConfig) checkDescent() error {
	r, err := findRecipe(nets.KindHead, c.Recipe)
	if err != nil {
		return err
	}
	if c.Descent == nil {
		c.Descent = &Descent{Fit: r.fit}
	}
	c.Descent.ClassWeights, c.Descent.Fit.Seed = c.ClassWeights, c.Seed
	if _, err := c.Descent.network(r, map[string]any{"features": 1}); err != nil {
		return err
	}
	return c.Descent.check()
}

// Result is a run just trained.
type Result struct {
	Run     *Run
	Reports []metrics.Report // of every split that was not trained on
}

// TrainHead fits a head on a store's train split, judges it on the other splits
// and writes the run folder. Equal stores, settings, seeds and numbers of
// threads give byte-identical weights on one machine. Gradient descent leaves a
// checkpoint after each epoch, and the same call goes on from it.
func TrainHead(ctx context.Context, c HeadConfig, o Observer) (Result, error) {
	if err := c.Check(); err != nil {
		return Result{}, err
	}
	unfinished, err := checkFolder(c.Out, c.Force)
	if err != nil {
		return Result{}, err
	}
	if unfinished && c.Recipe == RecipeLBFGS { // which has no use for the checkpoint, and must not take it away
		return Result{}, fmt.Errorf("run folder %s holds an interrupted training by gradient descent; choose another --out, or replace it with --force", c.Out)
	}
	s, err := store.Open(c.Embeddings)
	if err != nil {
		return Result{}, err
	}
	config, err := describe(&c, s)
	if err != nil {
		return Result{}, err
	}
	var out fitted
	if c.Recipe == RecipeLBFGS {
		out, err = trainLBFGS(ctx, c, s, &config, o)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = startFolder(c.Out)
		}
	} else {
		out, err = trainDescent(ctx, c, s, &config, unfinished, o)
	}
	if err != nil {
		return Result{}, fmt.Errorf("train head on %s: %w", s.Dir(), err)
	}
	r := &Run{Dir: c.Out, Config: config}
	return r.save(ctx, out, storeSource{r, s}, 0)
}

// trainLBFGS loads train, runs the recipe and completes the record.
func trainLBFGS(ctx context.Context, c HeadConfig, s *store.Store, config *Config, o Observer) (fitted, error) {
	load := loadFeatures
	if c.UseFlip {
		load = loadBoth
	}
	f, err := load(s, c.Taps, trainSplit)
	if err != nil {
		return fitted{}, err
	}
	classes := s.Classes()
	config.Notes = append(config.Notes, absentClasses(f.labels, classes)...)
	o.log("training on %d rows of %d features, %d classes, recipe %s", len(f.labels), f.dim, len(classes), c.Recipe)
	out, err := fitLBFGS(ctx, c, f, len(classes))
	if err != nil {
		return out, err
	}
	r := &config.Head
	r.Dim, r.Samples, r.Standardize = f.dim, len(f.labels), true
	r.Lambda, r.LambdaFrom, r.Tried, r.Settings = out.record.Lambda, out.record.LambdaFrom, out.record.Tried, out.record.Settings
	for _, t := range r.Tried {
		o.log("λ %g: loss %.4f, accuracy %.1f%% on the tenth of train held out", t.Lambda, t.Loss, 100*t.Accuracy)
	}
	o.log("λ %g (%s): loss %.4f on all of train, penalty included", *r.Lambda, r.LambdaFrom, out.history[len(out.history)-1].TrainLoss)
	return out, nil
}

// trainDescent is trainLBFGS for the recipes of gradient descent; it goes on
// from an unfinished training's checkpoint.
func trainDescent(ctx context.Context, c HeadConfig, s *store.Store, config *Config, unfinished bool, o Observer) (fitted, error) {
	x, f, err := loadExamples(s, c.Taps, trainSplit, c.UseFlip)
	if err != nil {
		return fitted{}, err
	}
	classes := s.Classes()
	config.Notes = append(config.Notes, absentClasses(f.labels, classes)...)
	l, err := headLesson(c, s, x, f, config.Embeddings.ManifestSHA256)
	if err != nil {
		return fitted{}, err
	}
	l.unfinished = unfinished
	o.log("training on %d rows of %d features, %d classes, recipe %s", len(f.labels), x.Dim, len(classes), c.Recipe)
	out, err := l.learn(ctx, o)
	if err != nil {
		return out, err
	}
	r := &config.Head
	r.Dim, r.Samples, r.Standardize = x.Dim, out.training.Samples, l.start != nil
	return out, nil
}

// headLesson is what a head learns from features; manifest is the store's hash.
func headLesson(c HeadConfig, s *store.Store, x fit.Features, f rows, manifest string) (lesson, error) {
	classes := len(s.Classes())
	r, err := findRecipe(nets.KindHead, c.Recipe)
	if err != nil {
		return lesson{}, err
	}
	net, err := c.Descent.network(r, map[string]any{"features": x.Dim, "outputs": classes})
	if err != nil {
		return lesson{}, err
	}
	l := lesson{Descent: *c.Descent, recipe: c.Recipe, net: net, labels: f.labels, split: storeSplits(s).validation(), folder: c.Out,
		identity: map[string]string{"embeddings": manifest, "taps": strings.Join(c.Taps, ","), "use flip": strconv.FormatBool(c.UseFlip),
			"holdout": fmt.Sprint(c.Descent.Holdout)}}
	if net.(nets.Head).Standardize {
		l.start = func(rows []int) (start map[string][]float32, err error) {
			start = nets.Init(net, c.Seed)
			start[nets.FeatureMean], start[nets.FeatureStd], err = head.Moments(x.X, x.Dim, rows)
			return start, err
		}
	}
	l.data = func(rows []int) (fit.Data, error) {
		return fit.NewFeatures(x, rows, fit.OneHot(f.labels, classes), classes, c.Seed)
	}
	l.samples = func(rows []int) (fit.Examples, error) { return x.Rows(rows), nil }
	l.validation = func() (*fit.Validation, error) {
		x, f, err := loadExamples(s, c.Taps, l.split, c.UseFlip)
		return &fit.Validation{Examples: x, Labels: f.labels}, err
	}
	return l, nil
}

// absentClasses notes the classes that train has no sample of: the head cannot
// learn them.
func absentClasses(labels []int, classes []string) []string {
	seen := make([]bool, len(classes))
	for _, y := range labels {
		seen[y] = true
	}
	var notes []string
	for c, ok := range seen {
		if !ok {
			notes = append(notes, fmt.Sprintf("Class %s has no training sample.", classes[c]))
		}
	}
	return notes
}

// describe resolves the taps and records everything that is known before
// training.
func describe(c *HeadConfig, s *store.Store) (Config, error) {
	m := s.Manifest()
	taps, err := s.ResolveTaps(c.Taps)
	if err != nil {
		return Config{}, err
	}
	if err := storeSplits(s).check([]string{trainSplit}); err != nil {
		return Config{}, err
	}
	manifest, err := filehash.File(filepath.Join(s.Dir(), "manifest.json"))
	if err != nil {
		return Config{}, err
	}
	config := newConfig(nets.KindHead, c.Version, c.Seed, s.Classes())
	config.Head = HeadRecord{Recipe: c.Recipe, UseFlip: c.UseFlip, ClassWeights: c.ClassWeights}
	config.Embeddings = EmbeddingsRecord{Path: absolute(s.Dir()), ManifestSHA256: manifest, DType: string(m.DType),
		Provider: m.Backbone.Provider, Runtime: m.Backbone.Runtime, Rows: rowsPerSplit(s)}
	config.Dataset = DatasetRecord{Name: m.Dataset.Name, Fingerprint: m.Dataset.Fingerprint, Limit: m.Dataset.Limit}
	c.Taps = nil
	dims := map[string]int{}
	for _, t := range taps {
		c.Taps = append(c.Taps, t.Name)
		dims[t.Name] = t.Dim
	}
	config.Head.Taps = c.Taps
	if config.Backbone, err = describeBackbone(c.Model, s, dims); err != nil {
		return Config{}, err
	}
	if note := randomNote(config.Backbone.Source); note != "" {
		config.Notes = append(config.Notes, note)
	}
	return config, nil
}

// describeBackbone records where the features came from, and where the ONNX
// file lies if it can be found.
func describeBackbone(model string, s *store.Store, dims map[string]int) (BackboneRecord, error) {
	b := s.Manifest().Backbone
	record := BackboneRecord{Model: b.Name, SHA256: b.SHA256, Source: b.Source, Pretrained: randomNote(b.Source) == "",
		Precision: b.Precision, Preprocessing: b.Preprocessing, Dims: dims}
	path, err := findModel(model, b.SHA256, besideStore(s, b.Name))
	if err != nil && model != "" {
		return record, err
	}
	if err != nil {
		return record, nil // predict and export will ask for it
	}
	record.Model = absolute(path)
	m, err := onnx.OpenHeader(path)
	if err != nil {
		return record, err
	}
	defer m.Close()
	record.Arch, record.SourceSHA256 = m.Metadata["graft.arch"], m.Metadata["graft.source_sha256"]
	return record, nil
}
