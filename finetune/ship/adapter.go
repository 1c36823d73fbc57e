package ship

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"graft/finetune/load"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/atomicfile"
	"graft/internal/schema"
	"graft/onnx"
	"graft/onnx/meta"
	"graft/pretrained"
	"graft/pretrained/checkpoint"
)

// adapterFormat marks a file of what a run has changed of its backbone: its tensors, the backbone's hash, and how they
// belong to it, which is a nets.Tail's Learned, Adapters and Running in JSON.
const (
	adapterFormat = "graft-adapter-1"
	adapterHash   = "backbone_sha256"
	adapterHow    = "graft.adapter"
)

// how is what of a nets.Tail says which weights were changed.
type how struct {
	Learned  []nets.Learned `json:"learned,omitempty"`
	Adapters []nets.Adapter `json:"adapters,omitempty"`
	Running  []nets.Running `json:"running,omitempty"`
}

// tuned is a run whose backbone was tuned.
func tuned(dir string) (*run.Run, nets.Tail, error) {
	r, err := run.Open(dir)
	if err != nil {
		return nil, nets.Tail{}, err
	}
	t, ok := r.Config.Net.(nets.Tail)
	if !ok {
		return nil, t, fmt.Errorf("run %s is a %s, which changes no backbone; graft train backbone does", r.Dir, r.Config.Kind)
	}
	return r, t, nil
}

// Adapter writes what the run in dir has changed of its backbone, without its head, to a safetensors file.
func Adapter(dir, out string) error {
	r, t, err := tuned(dir)
	if err != nil {
		return err
	}
	values := maps.Clone(r.Weights)
	maps.DeleteFunc(values, func(name string, _ []float32) bool { return slices.Contains(headNames(t), name) })
	list, err := nets.Tensors(nets.TailFeatures{Tail: t}, values)
	if err != nil {
		return err
	}
	data, err := json.Marshal(how{t.Learned, t.Adapters, t.Running})
	if err != nil {
		return err
	}
	return checkpoint.WriteSafetensors(out, list, map[string]string{schema.Key: adapterFormat, adapterHash: r.Config.Backbone.SHA256, adapterHow: string(data)})
}

func headNames(t nets.Tail) (names []string) {
	for _, w := range t.Head.Weights() {
		names = append(names, nets.HeadPrefix+w.Name)
	}
	return names
}

// Apply writes the backbone at path with an adapter's changes, its outputs as they are. A backbone other than that of which
// the adapter was made is refused.
func Apply(ctx context.Context, path, adapter, out, version string) (Exported, error) {
	f, err := checkpoint.Open(adapter, checkpoint.Whole)
	if err != nil {
		return Exported{}, err
	}
	defer f.Close()
	about := f.Metadata()
	var h how
	if err := json.Unmarshal([]byte(about[adapterHow]), &h); err != nil || about[schema.Key] != adapterFormat {
		return Exported{}, fmt.Errorf("%s is no adapter: its metadata %s is %q, want %q (graft export --adapter writes one)", adapter, schema.Key, about[schema.Key], adapterFormat)
	}
	file, err := pretrained.OpenFile(path)
	if err != nil {
		return Exported{}, err
	}
	hash, err := file.Hash(ctx)
	if err != nil {
		return Exported{}, err
	}
	if hash != about[adapterHash] {
		return Exported{}, fmt.Errorf("%s has SHA-256 %s, adapter %s was made for the backbone with %s", path, hash, adapter, about[adapterHash])
	}
	t := nets.Tail{Learned: h.Learned, Adapters: h.Adapters, Running: h.Running}
	values, err := nets.Load(f, nets.TailFeatures{Tail: t})
	if err != nil {
		return Exported{}, err
	}
	return writeTuned(file, out, version, nil, func(m *onnx.Model) error { return t.Fold(m, values) })
}

// Backbone writes the backbone of a run as the run has tuned it, its outputs as they are, for graft extract and rank.
func Backbone(ctx context.Context, c Config) (Exported, error) {
	r, _, err := tuned(c.Run)
	if err != nil {
		return Exported{}, err
	}
	file, err := load.Backbone(ctx, r, c.Model)
	if err != nil {
		return Exported{}, err
	}
	return writeTuned(file, c.Out, c.Version, r.Config.Notes, func(m *onnx.Model) error { return model.Tune(r, m) })
}

// writeTuned writes a backbone after a change.
func writeTuned(file *pretrained.File, out, version string, notes []string, change func(*onnx.Model) error) (Exported, error) {
	if atomicfile.Same(file.Path, out) {
		return Exported{}, fmt.Errorf("%s is the backbone itself; write the tuned one to another file", out)
	}
	m, err := onnx.Open(file.Path)
	if err != nil {
		return Exported{}, err
	}
	defer m.Close()
	if err := change(m); err != nil {
		return Exported{}, fmt.Errorf("tune %s: %w", file.Path, err)
	}
	renewPixels(m)
	about, err := meta.Read(m.Metadata)
	if err != nil {
		return Exported{}, err
	}
	if file.Own() {
		about.Version = version
	}
	about.Notes = append(slices.Clone(about.Notes), "Its weights were tuned by graft train backbone.")
	for _, n := range notes {
		if !slices.Contains(about.Notes, n) {
			about.Notes = append(about.Notes, n)
		}
	}
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	about.Write(m.Metadata)
	if err := m.Validate(); err != nil {
		return Exported{}, err
	}
	return written(m, out, nil, about.Notes)
}
