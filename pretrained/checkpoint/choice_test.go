package checkpoint

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkTensors are the entries of a state dict: under prefix, tensors a.w, b.w and c.w of the one value v, 1 to 6.
func pkTensors(v int, prefix string) string {
	out := ""
	for _, name := range []string{"a.w", "b.w", "c.w"} {
		out += pkText(prefix+name) + pkTensor(v)
	}
	return out
}

func pkTensor(v int) string {
	return rawTensor{key: "0", elements: 6, offset: v - 1, shape: []int{1}, strides: []int{1}}.pickle()
}

// A file with several state dicts: the average is taken before what it is the
// average of, the others are named, and a key takes any of them.
func TestChoice(t *testing.T) {
	raw, mean := pkDict(pkTensors(1, "")), pkDict(pkTensors(2, ""))
	both := func(a, b string) string { return pkDict(pkText(a), raw, pkText("epoch"), pkInt(3), pkText(b), mean) }
	lightning := pkDict(pkText("state_dict"), pkDict(pkTensors(1, "model."), pkTensors(2, "model_ema.module."), pkText("loss.centre"), pkTensor(3)))
	optimiser := pkDict(pkText("a.w"), mean, pkText("b.w"), mean, pkText("c.w"), mean)
	for _, c := range []struct {
		name, value, key string
		took, others     string // key:value of the tensors, or part of the error
	}{
		{"timm", both("state_dict", "state_dict_ema"), "", "state_dict_ema:2", "state_dict"},
		{"timm, by key", both("state_dict", "state_dict_ema"), "state_dict", "state_dict:1", "state_dict_ema"},
		{"deit", both("model", "model_ema"), "", "model_ema:2", "model"},
		{"timm's before deit's", both("model_ema", "state_dict_ema"), "", "state_dict_ema:2", "model_ema"},
		{"ema", both("model", "ema"), "", "ema:2", "model"},
		{"swa", both("net_state", "swa_net"), "", "swa_net:2", ""},
		{"teacher", both("student", "teacher"), "", "teacher:2", "student"},
		{"one", pkDict(pkText("model"), raw), "", "model:1", ""},
		{"none around", raw, "", ":1", ""},
		{"a wrapped average", pkDict(pkText("model"), raw, pkText("ema"), pkDict(pkText("module"), mean, pkText("updates"), pkInt(1))), "", "ema.module:2", "model"},
		{"a wrapped average, by its outer key", pkDict(pkText("model"), raw, pkText("ema"), pkDict(pkText("module"), mean)), "ema", "ema.module:2", "model"},
		{"a module with its average", lightning, "", "state_dict.model_ema.module:2", "state_dict.model"},
		{"a module with its average, by key", lightning, "state_dict.model", "state_dict.model:1", "state_dict.model_ema"},
		{"averaged model", pkDict(pkText("model"), pkDict(pkTensors(2, "module."), pkText("n_averaged"), pkTensor(3))), "", "model.module:2", ""},
		{"compiled", pkDict(pkTensors(1, "module._orig_mod.")), "", "module._orig_mod:1", ""},
		{"a small average is none", pkDict(pkText("model"), raw, pkText("ema_loss"), pkDict(pkText("centre"), pkTensor(2))), "", "model:1", ""},
		{"an optimiser by names", pkDict(pkText("model"), raw, pkText("optimizer"), pkDict(pkText("state"), optimiser)), "", "model:1", ""},
		{"unknown key", pkDict(pkText("generator"), raw), "", `"generator" (--key)`, ""},
		{"unknown key, named", pkDict(pkText("generator"), raw, pkText("critic"), mean), "critic", "critic:2", ""},
		{"a key that is not there", both("model", "model_ema"), "modl", `no state dict "modl" (--key) among "model, model_ema"`, ""},
		{"a key of a plain one", raw, "model", `no state dict "model"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := torchFile(pkFile(c.value), storage24)
			got, err := readContents(strings.NewReader(string(data)), int64(len(data)), c.key)
			if err != nil {
				if !strings.Contains(err.Error(), c.took) {
					t.Errorf("error %v, want %s", err, c.took)
				}
				return
			}
			if others := strings.Join(got.choice.others, " "); others != c.others {
				t.Errorf("others %q, want %q", others, c.others)
			}
			names := slices.Sorted(maps.Keys(got.tensors))
			if !slices.Equal(names, []string{"a.w", "b.w", "c.w"}) {
				t.Errorf("tensors %q", names)
			}
			for _, name := range names {
				x, err := got.tensors[name].float32s()
				if took := fmt.Sprintf("%s:%v", got.choice.key, x[0]); err != nil || took != c.took {
					t.Errorf("%s: took %s (%v), want %s", name, took, err, c.took)
				}
			}
		})
	}
}

// Of a file of ours nothing is taken for another network's average.
func TestWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.safetensors")
	if err := WriteSafetensors(path, []Tensor{{"ema.w", []int{1}, []float32{1}, false}, {"w", []int{1}, []float32{2}, false}}, nil); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"": "w", Whole: "ema.w w"} {
		f, err := Open(path, key)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := strings.Join(f.Names(), " "); got != want {
			t.Errorf("key %q: tensors %s, want %s", key, got, want)
		}
	}
}
