package vit

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/pretrained/checkpoint"
)

// prefixed are the tensors under other names.
func prefixed(all map[string]checkpoint.Tensor, prefix string) map[string]checkpoint.Tensor {
	out := map[string]checkpoint.Tensor{}
	for name, x := range all {
		x.Name = prefix + name
		out[x.Name] = x
	}
	return out
}

// Whatever trainings put before the names is found, whatever lies beside, and told.
func TestPrefixesAreFound(t *testing.T) {
	for _, file := range []string{"timm.safetensors", "torchvision.pth", "huggingface.safetensors", "clip_openai.pt", "dinov2_reg.pth", "siglip_huggingface.safetensors"} {
		want := loadFixture(t, file)
		for _, prefix := range []string{"model.", "module.", "_orig_mod.", "encoder.", "backbone.", "vit.", "net.", "module.model.", "module._orig_mod.backbone.", "lit.feature_extractor.", "a.b.c.d."} {
			for _, beside := range []string{"", "fc.weight", prefix[:strings.Index(prefix, ".")] + ".dino_head.mlp.0.weight"} {
				all := prefixed(tensorsOf(t, file), prefix)
				if beside != "" {
					all[beside] = zeros(beside, 7, want.Config.Width)
				}
				m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
				if err != nil {
					t.Errorf("%s, %s, beside %q: %v", file, prefix, beside, err)
					continue
				}
				if m.Config != want.Config || !slices.Contains(m.Notes, fmt.Sprintf("tensors taken from %q", strings.TrimSuffix(prefix, "."))) {
					t.Errorf("%s, %s: %+v, want %+v; notes %q", file, prefix, m.Config, want.Config, m.Notes)
				}
				if notes := strings.Join(m.Notes, "\n"); beside != "" && !strings.Contains(notes, strings.Split(beside, ".")[0]) {
					t.Errorf("%s, %s: no word of %s in %q", file, prefix, beside, m.Notes)
				}
			}
		}
	}
}

// Of several networks a prefix chooses; without one the teacher is taken, or none.
func TestPrefixChooses(t *testing.T) {
	put := func(words ...string) string {
		var list []checkpoint.Tensor
		for i, word := range words {
			all := prefixed(tensorsOf(t, "timm.safetensors"), word+".")
			mark := all[word+".cls_token"]
			mark.Data[0] = float32(i)
			for _, x := range all {
				list = append(list, x)
			}
		}
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := checkpoint.WriteSafetensors(path, list, nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		words       []string
		key, prefix string
		took        float32
		mistaken    string
	}{
		{[]string{"student.backbone", "teacher.backbone"}, "", "", 1, ""},
		{[]string{"student.backbone", "teacher.backbone"}, "student", "", 0, ""},
		{[]string{"student.backbone", "teacher.backbone"}, "", "student.backbone", 0, ""},
		{[]string{"student_net.trunk", "net_teacher.trunk"}, "", "", 1, ""},
		{[]string{"left.trunk", "right.trunk"}, "", "", 0, `several networks: name one by its prefix (--prefix), "left.trunk., right.trunk."`},
		{[]string{"left.trunk", "right.trunk"}, "", "right.trunk.", 1, ""},
		{[]string{"left.trunk", "right.trunk"}, "", "centre", 0, `no tensor's name starts with "centre."`},
		{[]string{"model.left", "model.right"}, "", "right", 1, ""},
		{[]string{"model.left", "model.right"}, "model", "left", 0, ""},
	} {
		out := filepath.Join(t.TempDir(), "x.onnx")
		path := put(c.words...)
		m, done, err := ConvertOptions{Weights: path, Key: c.key, Prefix: c.prefix, Heads: 4, Out: out}.model(t.Context())
		if c.mistaken != "" {
			if err == nil || !strings.Contains(err.Error(), c.mistaken) {
				t.Errorf("%v: error %v, want one with %s", c, err, c.mistaken)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		cls, err := m.tensor("cls")
		if err != nil || cls[0] != c.took {
			t.Errorf("%v: took %g (%v); notes %q", c, cls[0], err, m.Notes)
		}
		done()
	}
}

// What reads the features is left out whatever its shape and name, and told; what would change
// them is refused.
func TestHeadsAreLeftOut(t *testing.T) {
	for _, c := range []struct {
		names    map[string][]int // beside the network without its head
		note     string
		mistaken string
	}{
		{map[string][]int{"head.0.weight": {64, 32}, "head.0.bias": {64}, "head.2.weight": {7, 64}}, "head, behind the features (tensors: 3)", ""},
		{map[string][]int{"head.weight": {7, 32}}, "head, behind the features (tensors: 1)", ""},
		{map[string][]int{"head.weight": {7, 160}, "head.bias": {7}}, "head, behind the features (tensors: 2)", ""},
		{map[string][]int{"head.weight": {7, 32, 1, 1}, "head.bias": {7}}, "head, behind", ""},
		{map[string][]int{"pre_logits.fc.weight": {32, 32}, "pre_logits.fc.bias": {32}, "head.weight": {7, 32}, "head.bias": {7}}, "pre_logits, behind", ""},
		{map[string][]int{"my_emotions.weight": {7, 32}, "my_emotions.bias": {7}}, "my_emotions, behind", ""},
		{map[string][]int{"fc1.weight": {7, 9}, "bn.running_mean": {9}}, "", `unexpected "bn.running_mean"`},
		{map[string][]int{"dino_head.mlp.0.weight": {8, 32}, "dino_head.last_layer.weight_g": {8, 1}}, "dino_head, behind", ""},
		{map[string][]int{"decoder2.blocks.0.norm1.weight": {8}}, "decoder2, behind", ""},
		{map[string][]int{"projection_head.layers.0.weight": {8, 32}}, "projection_head, behind", ""},
		{map[string][]int{"prompt_embeddings": {1, 10, 32}}, "", `unexpected "prompt_embeddings"`},
		{map[string][]int{"rope.freqs": {10, 32}}, "", `unexpected "rope.freqs"`},
		{map[string][]int{"blocks.0.attn.rel_pos_h": {10, 8}}, "", `unexpected "blocks.0.attn.rel_pos_h"`},
		{map[string][]int{"patch_embed.norm.weight": {32}}, "", `unexpected "patch_embed.norm.weight"`},
	} {
		all := tensorsOf(t, "timm.safetensors")
		delete(all, "head.weight")
		delete(all, "head.bias")
		for name, shape := range c.names {
			all[name] = zeros(name, shape...)
		}
		if c.mistaken != "" {
			wantError(t, all, c.mistaken)
			continue
		}
		m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
		if err != nil {
			t.Errorf("%v: %v", c.names, err)
			continue
		}
		if notes := strings.Join(m.Notes, "\n"); m.Config.Classes != 0 || !strings.Contains(notes, "not used: "+c.note) {
			t.Errorf("%v: %d classes; %s", c.names, m.Config.Classes, notes)
		}
	}
}

// DINOv2's training keeps blocks in chunks, a teacher and heads.
func TestDINOv2Training(t *testing.T) {
	all := map[string]checkpoint.Tensor{}
	for _, who := range []string{"student", "teacher"} {
		for name, x := range tensorsOf(t, "dinov2.pth") {
			name = strings.Replace(strings.Replace(name, "blocks.0.", "blocks.0.0.", 1), "blocks.1.", "blocks.1.1.", 1)
			x.Name = who + ".backbone." + name
			all[x.Name] = x
		}
		head := zeros(who+".dino_head.mlp.0.weight", 3, 16)
		all[head.Name] = head
	}
	m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := loadFixture(t, "dinov2.pth"); m.Config != want.Config || m.key != "teacher.backbone" || !slices.Equal(m.otherKeys, []string{"student"}) {
		t.Errorf("%+v, want %+v; key %s, others %q", m.Config, want.Config, m.key, m.otherKeys)
	}
	clash := zeros("blocks.5.0.norm1.weight", 16)
	all = prefixed(tensorsOf(t, "dinov2.pth"), "")
	all[clash.Name] = clash
	wantError(t, all, `two tensors would be "blocks.0.norm1.weight"`)
}

// Hugging Face's masked autoencoder is told by its decoder.
func TestHuggingFaceMAE(t *testing.T) {
	all := tensorsOf(t, "huggingface.safetensors")
	delete(all, "classifier.weight")
	delete(all, "classifier.bias")
	for _, name := range []string{"decoder.decoder_embed.weight", "decoder.mask_token", "decoder.decoder_layers.0.layernorm_before.weight"} {
		all[name] = zeros(name, 2)
	}
	m, err := loadModel(t.Context(), writeTensors(t, all), loadOptions{Heads: 4})
	if err != nil {
		t.Fatal(err)
	}
	if m.Family != "huggingface-mae" || m.Preprocess.Mean[0] != 0.485 || !slices.Contains(m.Notes, "not used: the decoder of masked pretraining (tensors: 3)") {
		t.Errorf("%s, %+v, %q", m.Family, m.Preprocess, m.Notes)
	}
}
