package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"graft/finetune/head"
	"graft/finetune/metrics"
	"graft/finetune/run"
)

// Repeats says how often one setting is trained: with several seeds, its own and the
// next ones, or on all folds of train but one at a time. One of them is above 1.
type Repeats struct {
	Seeds int
	Folds int // drawn by the setting's seed, which all of the runs have
}

func (r Repeats) check() error {
	switch {
	case r.Seeds != 0 && r.Folds != 0:
		return errors.New("seeds and folds: want one of them")
	case r.Seeds+r.Folds < 2:
		return fmt.Errorf("%d seeds, %d folds: want 2 or more of one of them", r.Seeds, r.Folds)
	}
	return nil
}

// Repeated is the outcome of several trainings.
type Repeated struct {
	Summary run.Summary
	Reports []metrics.Report // of all runs, the earlier ones too
}

// part is one training: of all of train, or of what a fold leaves of it.
type part struct {
	place
	seed uint64
	fold string // that held is judged as; "" where all of train is trained on
	held []int  // numbers of the images in train, as rest, ascending
	rest []int
}

// whole has the only training of a setting done, in a folder that is held for it.
func whole(out string, seed uint64, force bool, train func(part) (Result, error)) (result Result, err error) {
	unfinished, release, err := run.Hold(out, force)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, release()) }()
	return train(part{place: place{folder: out, unfinished: unfinished}, seed: seed})
}

// material is a setting with the data it is trained on, read once for all runs.
type material interface {
	images() (rows run.Rows, classes int)            // of train
	settings() (common map[string]string, err error) // what decides the weights, but for the seed
	train(ctx context.Context, p part, o Observer) (Result, error)
}

// repeat trains the parts one after the other, each in a folder of its own below
// out. What is finished there is not trained again.
func repeat(ctx context.Context, m material, r Repeats, out string, seed uint64, force bool, o Observer) (done Repeated, err error) {
	s := &done.Summary
	if s.Settings, err = m.settings(); err != nil {
		return done, err
	}
	parts, err := r.parts(m, s, seed)
	if err != nil {
		return done, err
	}
	if err := s.Start(out, force); err != nil {
		return done, err
	}
	for i, p := range parts {
		name := p.folder
		p.folder = filepath.Join(out, name)
		o.log("%s (%d of %d)", name, i+1, len(parts))
		if err := p.trainUnlessDone(ctx, m, o); err != nil {
			return done, fmt.Errorf("%s: %w", name, err)
		}
		if done.Reports, err = s.Add(out, name); err != nil {
			return done, err
		}
	}
	return done, nil
}

// parts are the trainings, whose folders are names yet.
func (r Repeats) parts(m material, s *run.Summary, seed uint64) (out []part, err error) {
	s.By = run.BySeed
	for i := range uint64(r.Seeds) {
		out = append(out, part{place: place{folder: s.Name(seed + i)}, seed: seed + i})
	}
	if r.Folds == 0 {
		return out, nil
	}
	s.By, s.Settings["folds"] = run.ByFold, fmt.Sprintf("%d, drawn by seed %d", r.Folds, seed)
	rows, classes := m.images()
	fold, err := head.Folds(rows.Labels, classes, rows.Apart(), r.Folds, seed)
	if err != nil {
		return nil, err
	}
	for k := range r.Folds {
		p := part{place: place{folder: s.Name(uint64(k) + 1)}, seed: seed, fold: s.Name(uint64(k) + 1)}
		for i, of := range fold {
			if of == k {
				p.held = append(p.held, i)
			} else {
				p.rest = append(p.rest, i)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// trainUnlessDone trains where the folder holds no finished run. What is left of an
// unfinished one makes way, but for its checkpoint.
func (p part) trainUnlessDone(ctx context.Context, m material, o Observer) (err error) {
	if _, err := run.ReadConfig(p.folder); err == nil {
		o.log("%s is finished", p.folder)
		return nil
	}
	_, left := run.CheckFolder(p.folder, false)
	unfinished, release, err := run.Hold(p.folder, left != nil)
	if err != nil {
		return err
	}
	p.unfinished = unfinished
	_, err = m.train(ctx, p, o)
	return errors.Join(err, release())
}

// settings adds how to train to settings, without what runs of one setting may differ in.
func (d Descent) settings(settings map[string]string) error {
	d.Fit.Seed, d.Fit.Threads = 0, 0
	settings["class weights"], settings["logit adjustment"], settings["holdout"] = d.ClassWeights, fmt.Sprint(d.LogitAdjust), fmt.Sprint(d.Holdout)
	return flatten(settings, d.Fit)
}

// flatten adds the fields of v's JSON to settings.
func flatten(settings map[string]string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for name, value := range fields {
		settings[name] = string(value)
	}
	return nil
}
