package train

import (
	"path/filepath"
	"slices"

	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/filehash"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// describe resolves the taps and records everything that is known before
// training.
func describe(c *HeadConfig, s *store.Store) (run.Config, error) {
	m := s.Manifest()
	var err error
	if c.Taps, err = taps.Resolve("store "+s.Dir(), s.Taps(), c.Taps, taps.All); err != nil {
		return run.Config{}, err
	}
	if err := load.StoreSplits(s).Check([]string{dataset.Train}); err != nil {
		return run.Config{}, err
	}
	manifest, err := filehash.File(filepath.Join(s.Dir(), "manifest.json"))
	if err != nil {
		return run.Config{}, err
	}
	config := run.NewConfig(nets.KindHead, c.Version, c.Seed, s.Classes())
	config.Head = run.HeadRecord{Recipe: c.Recipe, UseFlip: c.UseFlip, ClassWeights: c.ClassWeights}
	config.Embeddings = run.EmbeddingsRecord{Path: run.Absolute(s.Dir()), ManifestSHA256: manifest, DType: string(m.DType),
		Provider: m.Backbone.Provider, Runtime: m.Backbone.Runtime, Rows: load.StoreSplits(s).Rows}
	config.Dataset = run.DatasetRecord{Name: m.Dataset.Name, Fingerprint: m.Dataset.Fingerprint, Limit: m.Dataset.Limit}
	dims := map[string]int{}
	for _, t := range m.Taps {
		if slices.Contains(c.Taps, t.Name) {
			dims[t.Name] = t.Dim
		}
	}
	config.Head.Taps = c.Taps
	if config.Backbone, err = describeBackbone(c.Model, s, dims); err != nil {
		return run.Config{}, err
	}
	if note := run.RandomNote(config.Backbone.Source); note != "" {
		config.Notes = append(config.Notes, note)
	}
	return config, nil
}

// describeBackbone records where the features came from, and where the ONNX
// file lies if it can be found.
func describeBackbone(model string, s *store.Store, dims map[string]int) (run.BackboneRecord, error) {
	b := s.Manifest().Backbone
	record := run.BackboneRecord{Model: b.Name, SHA256: b.SHA256, Source: b.Source, Pretrained: run.Pretrained(b.Source),
		Precision: b.Precision, Preprocessing: b.Preprocessing, Dims: dims}
	f, err := load.BackboneOf(s, model)
	if err != nil && model != "" {
		return record, err
	}
	if err != nil {
		return record, nil // predict and export will ask for it
	}
	record.Model, record.Arch, record.SourceSHA256 = run.Absolute(f.Path), f.Meta.Arch, f.Meta.SourceSHA256
	return record, nil
}
