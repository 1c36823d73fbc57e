package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/blocks"
	"graft/pretrained/extract"
	"graft/pretrained/store"
	"graft/pretrained/taps"
)

// network is a backbone, open, and where it is cut.
type network struct {
	file   *pretrained.File // whose weights learn
	hash   string
	before *pretrained.File // what runs before the cut: file, or the same network in another precision
	spec   preprocess.Spec
	about  run.BackboneRecord
	model  *onnx.Model
	cuts   []blocks.Cut
	cut    string
	word   string // of package taps, for the tensor at the cut
	shape  []int  // of it for one image
	taps   []nets.TailTap
}

func (n network) tapNames() (names []string) {
	for _, t := range n.taps {
		names = append(names, t.Name)
	}
	return names
}

// record is what the run says of the network.
func (n network) record(t nets.Tail) run.BackboneRecord {
	b := n.about
	b.Dims = map[string]int{}
	for _, tap := range t.Taps {
		b.Dims[tap.Name] = tap.Dim
	}
	return b
}

// openNetwork opens the backbone's file and finds the cut.
func (c BackboneConfig) openNetwork(ctx context.Context, words []string) (n network, err error) {
	path := cmp.Or(c.Tail, c.Model)
	if n.file, err = pretrained.OpenFile(path); err != nil {
		return n, fmt.Errorf("backbone: %w", err)
	}
	if n.hash, err = n.file.Hash(ctx); err != nil {
		return n, err
	}
	n.before = n.file
	if c.Tail != "" {
		if n.before, n.about.Before, err = c.openBefore(ctx, n.file); err != nil {
			return n, err
		}
	}
	if n.model, err = onnx.Open(path); err != nil {
		return n, err
	}
	input, err := blocks.Input(n.model, 0)
	if err != nil && c.Foreign != nil {
		input, err = blocks.Input(n.model, c.Foreign.Size)
	}
	if err == nil {
		n.cuts, err = blocks.Find(n.model, input)
	}
	if err != nil && c.UnfreezeFrom == "" {
		return n, fmt.Errorf("backbone %s: %w; name the tensor where the trained part begins (--unfreeze-from)", path, err)
	}
	if err = n.settleCut(c); err != nil {
		return n, fmt.Errorf("backbone %s: %w", path, err)
	}
	return n, n.describe(ctx, c, words)
}

// settleCut finds the tensor where the trained part begins.
func (n *network) settleCut(c BackboneConfig) error {
	if c.UnfreezeFrom != "" {
		n.cut, n.word = c.UnfreezeFrom, taps.TensorWord+c.UnfreezeFrom
		return nil
	}
	if c.Unfreeze == UnfreezeAll {
		n.cut = n.model.Inputs[0].Name
		return nil
	}
	blocksToTrain, err := strconv.Atoi(c.Unfreeze)
	if err != nil {
		return err
	}
	cut, err := blocks.Last(n.cuts, blocksToTrain)
	if err != nil {
		return err
	}
	n.cut, n.word = cut.Tensor, taps.TensorWord+cut.Tensor
	if n.file.Own() {
		n.word = taps.Tokens(cut.Block)
	}
	return nil
}

// describe asks a session what the taps are made of.
func (n *network) describe(ctx context.Context, c BackboneConfig, words []string) (err error) {
	if n.word != "" {
		words = append(slices.Clone(words), n.word)
	}
	all, err := n.file.Open(ctx, pretrained.Options{Runtime: c.Runtime, Foreign: c.Foreign, Taps: words})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	meta := n.file.Meta
	n.spec = all.Preprocessing()
	n.about = run.BackboneRecord{Model: run.Absolute(n.file.Path), SHA256: n.hash, Before: n.about.Before, Arch: meta.Arch, Source: meta.Source, SourceSHA256: meta.SourceSHA256,
		Pretrained: run.Pretrained(meta.Source), Precision: all.Precision(), Preprocessing: n.spec}
	if n.about.Parameters, err = n.file.Parameters(); err != nil {
		return err
	}
	for _, tap := range all.Taps() {
		if taps.Cut(tap) {
			n.shape = all.Shape(tap)
			continue
		}
		t := nets.TailTap{Name: tap, Output: all.Tensor(tap), Dim: all.Dim(tap)}
		if n.spec.Host {
			t.Pool = n.spec.Pool
		}
		n.taps = append(n.taps, t)
	}
	return nil
}

// reading opens data and network, keeps what the frozen part gives, and has it used.
func (t BackboneTraining) reading(ctx context.Context, o Observer, use func(backbone) error) (err error) {
	b := backbone{c: t.c}
	if b.head, err = t.c.headRun(); err != nil {
		return err
	}
	ref := t.c.Data
	ref.Verify = ref.SkipBad
	if b.data, err = dataset.Open(ctx, ref, o.Progress.Of("reading "+ref.Name()+" (bytes)")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, line := range slices.Concat(b.data.Warnings, load.LeftOut(b.data)) {
		o.log("%s", line)
	}
	if err = b.open(ctx, o); err != nil {
		return err
	}
	return use(b)
}

// open reads or makes all that training needs.
func (b *backbone) open(ctx context.Context, o Observer) (err error) {
	words := b.c.Taps
	if b.head != nil {
		words = b.head.Config.Head.Taps
	}
	if len(words) == 0 {
		words = []string{"all"}
	}
	if b.fingerprint, err = b.data.Fingerprint(ctx); err != nil {
		return err
	}
	if b.network, err = b.c.openNetwork(ctx, words); err != nil {
		return err
	}
	if err = b.checkHead(); err != nil {
		return err
	}
	if b.c.Views == 0 {
		if b.rows, err = freshRows(ctx, b.data, b.c.Limit); err != nil {
			return err
		}
	}
	if b.network.word == "" {
		if b.network.shape, err = b.imageShape(ctx); err != nil {
			return err
		}
	}
	tail, err := b.tail()
	if err == nil {
		err = checkMemory(tail, b.c.Fit, b.c.Holdout > 0, freeMemory, o.log)
	}
	if err != nil {
		return err
	}
	frozen := []string{b.network.word}
	for _, tap := range tail.Taps {
		if tap.Frozen {
			frozen = append(frozen, tap.Name)
		}
	}
	if b.c.Tail != "" {
		if err := b.comparePair(ctx, frozen, o); err != nil {
			return err
		}
	}
	if b.c.Views == 0 {
		err = b.openFresh(ctx, frozen)
	} else {
		err = b.openStore(ctx, frozen, o)
	}
	if err == nil {
		b.targets, err = softTargets(b.data, b.rows, b.c.SoftLabels)
	}
	if err == nil {
		b.held, err = b.heldByHead()
	}
	return err
}

// heldByHead are the rows that the head's training held out: to be watched they must be held out again, since all others are
// known to the head. Nil where the head saw all of train, as after L-BFGS, which holds out to choose its penalty alone.
func (b *backbone) heldByHead() ([]int, error) {
	if b.head == nil || b.c.Holdout == 0 || b.head.Config.Training == nil || b.head.Config.Training.Holdout == 0 {
		return nil, nil
	}
	if was := b.head.Config.Training.Holdout; was != b.c.Holdout {
		return nil, fmt.Errorf("a hold-out of %g of train, but the head %s held out %g, and has seen the rest: hold out as much", b.c.Holdout, b.c.Head, was)
	}
	p, err := run.ReadHeldOut(b.head.Dir, b.head.Config.Classes)
	if p == nil {
		return nil, err
	}
	at := make(map[int]int, len(b.rows.Indices))
	for row, index := range b.rows.Indices {
		at[index] = row
	}
	rows := make([]int, len(p.Indices))
	for i, index := range p.Indices {
		row, found := at[index]
		if !found || b.rows.IDs[row] != p.IDs[i] {
			return nil, fmt.Errorf("head %s held out row %d, %s, which is none of train in %s: it was trained on another dataset, or --limit differs", b.c.Head, index, p.IDs[i], b.data.Path)
		}
		rows[i] = row
	}
	slices.Sort(rows)
	return rows, nil
}

// openStore keeps what the frozen part gives, and opens it.
func (b *backbone) openStore(ctx context.Context, words []string, o Observer) error {
	err := b.keep(ctx, words, o)
	if err != nil {
		return err
	}
	k, err := openKept(b.store, words, b.c.Views, b.c.Fit.Seed)
	if err != nil {
		return err
	}
	b.inputs, b.rows = k, trainRows(b.store)
	return nil
}

// checkHead refuses a head of another network.
func (b *backbone) checkHead() error {
	if b.head == nil {
		return nil
	}
	r := b.head.Config
	before := b.network.about.Before
	if r.Backbone.SHA256 != b.network.hash && (before == nil || r.Backbone.SHA256 != before.SHA256) {
		return fmt.Errorf("head %s was trained on the backbone with SHA-256 %s, %s has %s", b.c.Head, r.Backbone.SHA256, b.network.file.Path, b.network.hash)
	}
	return load.SameClasses(b.data, r.Classes, "head "+b.c.Head)
}

// keep extracts the train split's tensor at the cut and frozen taps, unless they are there.
func (b *backbone) keep(ctx context.Context, words []string, o Observer) (err error) {
	c := b.c
	runtime := c.Runtime
	runtime.Throughput = true
	if runtime.Provider, err = extract.Provider(c.store(), runtime.Provider); err != nil {
		return err
	}
	frozen, err := b.network.before.Open(ctx, pretrained.Options{Runtime: runtime, Foreign: foreignFor(c.Foreign, words), Taps: words})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, frozen.Close()) }()
	e := extract.Config{Data: b.data, Backbone: frozen, Out: c.store(), Taps: words, Splits: []string{dataset.Train}, Flip: c.UseFlip, Limit: c.Limit,
		SkipBad: c.Data.SkipBad, Note: o.Log}
	fixed := len(b.fixedViews())
	if c.Views > fixed {
		changes := c.Augment
		changes.Mixup = 0
		e.Views = store.Views{Count: c.Views, Seed: c.Fit.Seed, Augment: changes}
	}
	if _, err = extract.Run(ctx, e, o.Progress.Of("keeping what the frozen part gives (images)")); err != nil {
		return err
	}
	if b.store, err = store.Open(c.store()); err == nil && c.GroupBy != "" {
		err = b.store.GroupBy(c.GroupBy)
	}
	return err
}
