package fit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"graft/graph"
	"graft/internal/schema"
	"graft/pretrained/checkpoint"
)

// A checkpoint is a safetensors file: the model's weights and every other state that training changes under its name, the
// best weights so far under "best.", and this record in the metadata. What a network's frozen part brings along is not in it.
type record struct {
	History  []Epoch           `json:"history"`
	Identity map[string]string `json:"identity"`
}

const (
	recordKey  = "graft.training"
	bestPrefix = "best."
)

// identity is everything that decides the weights, by name.
func (t *trainer) identity() (map[string]string, error) {
	all := map[string]string{}
	maps.Copy(all, t.job.Identity)
	all["model"] = t.job.Net.Kind()
	for prefix, options := range map[string]any{"": t.job.Config, "model option ": t.job.Net} {
		data, err := json.Marshal(options)
		if err != nil {
			return nil, err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, err
		}
		for name, value := range fields {
			all[prefix+strings.ReplaceAll(name, "_", " ")] = string(value)
		}
	}
	return all, nil
}

// save writes the state after an epoch, atomically.
func (t *trainer) save() error {
	if t.job.Checkpoint == "" {
		return nil
	}
	identity, err := t.identity()
	if err != nil {
		return err
	}
	data, err := json.Marshal(record{t.history, identity})
	if err != nil {
		return err
	}
	var list []checkpoint.Tensor
	saved, _ := t.states()
	for _, n := range saved {
		list = append(list, checkpoint.Tensor{Name: n.Name(), Shape: n.Shape(), Data: t.program.Value(n)})
	}
	for _, w := range t.job.Net.Weights() {
		if v := t.bestWeights[w.Name]; v != nil {
			list = append(list, checkpoint.Tensor{Name: bestPrefix + w.Name, Shape: w.Shape, Data: v})
		}
	}
	return checkpoint.WriteSafetensors(t.job.Checkpoint, list, map[string]string{schema.Key: "graft-training-1", recordKey: string(data)})
}

// states are the program's parameters and states: those that a checkpoint holds, and others, which are what they were from
// the beginning.
func (t *trainer) states() (saved, constant []*graph.Node) {
	changes := map[string]bool{}
	for _, w := range t.job.Net.Weights() {
		changes[w.Name] = true
	}
	for _, u := range t.g.Updates() {
		changes[u.Parameter.Name()] = true
	}
	for _, n := range t.g.Parameters(true) {
		switch {
		case t.program.Value(n) == nil:
		case changes[n.Name()]:
			saved = append(saved, n)
		default:
			constant = append(constant, n)
		}
	}
	return saved, constant
}

// resume goes on from a checkpoint, if there is one.
func (t *trainer) resume() error {
	if _, err := os.Stat(t.job.Checkpoint); err != nil {
		return nil
	}
	f, err := checkpoint.Open(t.job.Checkpoint, checkpoint.Whole)
	if err != nil {
		return err
	}
	defer f.Close()
	var r record
	if err := json.Unmarshal([]byte(f.Metadata()[recordKey]), &r); err != nil {
		return fmt.Errorf("%s: metadata %s is no record of a training: %w", f.Path(), recordKey, err)
	}
	if err := t.checkIdentity(r.Identity); err != nil {
		return fmt.Errorf("%s: %w", f.Path(), err)
	}
	if err := t.restore(f); err != nil {
		return fmt.Errorf("%s: %w", f.Path(), err)
	}
	t.history = r.History
	if t.job.Resumed != nil {
		t.job.Resumed(len(t.history))
	}
	return nil
}

// checkIdentity names the settings that differ.
func (t *trainer) checkIdentity(had map[string]string) error {
	want, err := t.identity()
	if err != nil {
		return err
	}
	both := maps.Clone(want)
	maps.Copy(both, had)
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if had[name] != want[name] {
			faults = append(faults, fmt.Sprintf("%s was %s and now is %s", name, cmp.Or(had[name], "not set"), cmp.Or(want[name], "not set")))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("the training to be gone on with had other settings: %s; give the same ones, or start anew", strings.Join(faults, "; "))
	}
	return nil
}

// restore reads every value of the training graph, strictly.
func (t *trainer) restore(f *checkpoint.File) error {
	known := 0
	read := func(name string, shape []int) ([]float32, error) {
		known++
		info, ok := f.Info(name)
		if !ok {
			return nil, fmt.Errorf("tensor %q %v is missing", name, shape)
		}
		if !slices.Equal(info.Shape, shape) {
			return nil, fmt.Errorf("tensor %q: shape %v, want %v", name, info.Shape, shape)
		}
		return f.Float32(name)
	}
	saved, constant := t.states()
	for _, n := range constant {
		if _, ok := f.Info(n.Name()); ok { // checkpoints of before held them
			known++
		}
	}
	for _, n := range saved {
		v, err := read(n.Name(), n.Shape())
		if err != nil {
			return err
		}
		if err := t.program.Set(n, v); err != nil {
			return err
		}
	}
	if t.job.Validation != nil {
		t.bestWeights = map[string][]float32{}
		for _, w := range t.job.Net.Weights() {
			v, err := read(bestPrefix+w.Name, w.Shape)
			if err != nil {
				return err
			}
			t.bestWeights[w.Name] = v
		}
	}
	if extra := len(f.Names()) - known; extra != 0 {
		return fmt.Errorf("%d tensors too many", extra)
	}
	return nil
}
