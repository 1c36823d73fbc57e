package train

import (
	"context"
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

// features is an embedding store to train on: what of it is asked for is there.
type features struct {
	*store.Store
	taps     []string
	manifest string // its file's SHA-256
	backbone run.BackboneRecord
}

// openStore opens the store at dir, resolves the words for its taps and looks for the
// backbone's file, at model or, where that is empty, beside the store.
func openStore(ctx context.Context, dir string, words []string, model string) (f features, err error) {
	if f.Store, err = store.Open(dir); err != nil {
		return f, err
	}
	if f.taps, err = taps.Resolve("store "+f.Dir(), f.Taps(), words, taps.All); err != nil {
		return f, err
	}
	if err = load.StoreSplits(f.Store).Check([]string{dataset.Train}); err != nil {
		return f, err
	}
	if f.manifest, err = filehash.File(ctx, filepath.Join(f.Dir(), "manifest.json")); err != nil {
		return f, err
	}
	f.backbone, err = describeBackbone(ctx, f.Store, f.taps, model)
	return f, err
}

// describeBackbone records where the features of taps came from, and where the
// ONNX file lies if it can be found.
func describeBackbone(ctx context.Context, s *store.Store, taps []string, model string) (run.BackboneRecord, error) {
	m := s.Manifest()
	b, dims := m.Backbone, map[string]int{}
	for _, t := range m.Taps {
		if slices.Contains(taps, t.Name) {
			dims[t.Name] = t.Dim
		}
	}
	record := run.BackboneRecord{Model: b.Name, SHA256: b.SHA256, Source: b.Source, Parameters: b.Parameters, Pretrained: run.Pretrained(b.Source),
		Precision: b.Precision, Preprocessing: b.Preprocessing, Dims: dims}
	f, err := load.BackboneOf(ctx, s, model)
	if err != nil && (model != "" || ctx.Err() != nil) {
		return record, err
	}
	if err != nil {
		return record, nil // predict and export will ask for it
	}
	record.Model, record.Arch, record.SourceSHA256 = run.Absolute(f.Path), f.Meta.Arch, f.Meta.SourceSHA256
	record.Parameters, err = f.Parameters()
	return record, err
}

// describe is the record of a head trained on f; absent notes what train lacks.
func (f features) describe(by run.Program, seed uint64, head run.HeadRecord, absent []string) run.Config {
	m, config := f.Manifest(), run.NewConfig(nets.KindHead, by, seed, f.Classes())
	config.Head, config.Backbone = head, f.backbone
	config.Embeddings = run.EmbeddingsRecord{Path: run.Absolute(f.Dir()), ManifestSHA256: f.manifest, DType: string(m.DType),
		Provider: m.Backbone.Provider, Runtime: m.Backbone.Runtime, Rows: load.StoreSplits(f.Store).Rows}
	config.Dataset = run.DatasetRecord{Name: m.Dataset.Name, Fingerprint: m.Dataset.Fingerprint, Limit: m.Dataset.Limit, LeftOut: m.Dataset.LeftOut}
	if note := run.RandomNote(f.backbone.Source); note != "" {
		config.Notes = append(config.Notes, note)
	}
	config.Notes = append(config.Notes, absent...)
	return config
}
