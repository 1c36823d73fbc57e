package train

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/finetune/ship"
	"graft/onnx"
	"graft/preprocess"
)

// TestForeignBackbones fine-tunes networks of other makers: with batch norms, whose running statistics never move, with
// depthwise convolutions, and a transformer with all that learns alone.
func TestForeignBackbones(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short runs, as under the race detector: more networks on the same code as TestBackboneRuns")
	}
	for _, f := range []struct {
		file string
		how  Tuning
	}{
		{"resnet_basic_11", Tuning{}}, {"resnet_basic_dynamo", Tuning{Only: OnlyNorms}}, {"mobilenet_v2_11", Tuning{}}, {"vit_timm_17", Tuning{}},
		{"vit_timm_17", Tuning{Only: OnlyBiases}}, {"vit_timm_17", Tuning{Only: OnlyNorms}}, {"vit_timm_17", Tuning{Only: OnlyScale}}, {"vit_dynamo", Tuning{Lora: 2}},
	} {
		t.Run(f.file+"/"+f.how.Only, func(t *testing.T) {
			dir := t.TempDir()
			c := smallTuning(t, dir)
			c.Model, c.Views, c.Fit.Epochs = filepath.Join("../../graph/raise/testdata", f.file+".onnx"), 2, 1
			c.Only, c.Lora = f.how.Only, f.how.Lora
			c.Foreign = &preprocess.Spec{Normalization: preprocess.ImageNet}
			r := tune(t, c)
			tail := r.Run.Config.Net.(nets.Tail)
			for _, w := range tail.Learned {
				if strings.Contains(w.Name, "running") {
					t.Errorf("%s learns", w.Name)
				}
			}
			file := filepath.Join(dir, "faces.onnx")
			if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
				t.Fatal(err)
			}
			checkPredictor(t, c.Out, file)
			checkTail(t, c, r.Run)
		})
	}
}

// pooled writes a convolutional network that ends with its maps, whose mean over all places the host takes.
func pooled(t *testing.T, dir string) string {
	t.Helper()
	m, err := onnx.Open("../../graph/raise/testdata/resnet_timm_13.onnx")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	at := slices.IndexFunc(m.Nodes, func(n onnx.Node) bool { return n.Op == "GlobalAveragePool" })
	n := onnx.Dim{Name: "N"}
	m.Outputs = []onnx.Value{{Name: m.Nodes[at].Inputs[0], Type: onnx.Float32, Dims: []onnx.Dim{n, {Name: "D"}, {Name: "H"}, {Name: "W"}}}}
	m.Prune()
	path := filepath.Join(dir, "maps.onnx")
	if err := m.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestForeignFresh fine-tunes networks of other makers from the pixels on and from inside, with images that are changed
// anew: what the tail gives before it has learned is what the network gives of the host's pixels.
func TestForeignFresh(t *testing.T) {
	for _, f := range []struct {
		file, pool, unfreeze, learns string
		views                        int
	}{
		{"vit_timm_17", "", UnfreezeAll, "patch_embed", 0}, {"maps", "mean", UnfreezeAll, "conv1", 0}, {"maps", "mean", "2", "layer", 0}, {"maps", "mean", "2", "layer", 2},
	} {
		dir := t.TempDir()
		c := smallTuning(t, dir)
		c.Model = filepath.Join("../../graph/raise/testdata", f.file+".onnx")
		if f.file == "maps" {
			c.Model = pooled(t, dir)
		}
		c.Unfreeze, c.Views, c.Fit.Epochs = f.unfreeze, f.views, 1
		c.Foreign = &preprocess.Spec{Normalization: preprocess.ImageNet, Pool: f.pool}
		training, err := c.Check()
		if err != nil {
			t.Fatal(err)
		}
		err = training.reading(t.Context(), Observer{}, func(b backbone) error {
			tail, err := b.tail()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(tail.Learned, func(w nets.Learned) bool { return strings.Contains(w.Name, f.learns) }) {
				t.Errorf("%s is not among %v", f.learns, tail.Learned)
			}
			got, err := tapsOf(t.Context(), b.inputs, tail, []int{3}, []int{0}, 1, Observer{})
			if err != nil {
				return err
			}
			im, err := b.data.Image(t.Context(), b.rows.Indices[3])
			if err != nil {
				return err
			}
			want, err := b.featuresOf(t.Context(), b.network.file, []string{"features"}, im)
			if err != nil {
				return err
			}
			if d, most := distance(got, want[0]), map[bool]float64{true: 1e-5, false: 1e-3}[f.views == 0]; !(d <= most) { // float16 of what is kept
				t.Errorf("%+v: %.2g away from what the network gives", f, d)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tune(t, c)
		file := filepath.Join(dir, "faces.onnx")
		if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
			t.Fatal(err)
		}
		checkPredictor(t, c.Out, file)
	}
}

// TestNormStatistics: running statistics of the unfrozen part move with the flag, and are exported and part of the adapter;
// those before the cut, and all without the flag, stay to the byte.
func TestNormStatistics(t *testing.T) {
	for _, moves := range []bool{true, false} {
		dir := t.TempDir()
		c := smallTuning(t, dir)
		c.Model, c.Views, c.Fit.Epochs, c.Unfreeze, c.NormStats = "../../graph/raise/testdata/resnet_timm_13.onnx", 2, 1, "2", moves
		c.Foreign = &preprocess.Spec{Normalization: preprocess.ImageNet}
		r := tune(t, c)
		tuned, adapter, applied := filepath.Join(dir, "tuned.onnx"), filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "applied.onnx")
		if _, err := ship.Backbone(t.Context(), ship.Config{Run: c.Out, Out: tuned, Version: "v1"}); err != nil {
			t.Fatal(err)
		}
		if err := ship.Adapter(c.Out, adapter); err != nil {
			t.Fatal(err)
		}
		if _, err := ship.Apply(t.Context(), c.Model, adapter, applied, "v1"); err != nil {
			t.Fatal(err)
		}
		before, after, again := weights(t, c.Model), weights(t, tuned), weights(t, applied)
		moved, still := 0, 0
		for name, want := range before {
			if !bytes.Equal(after[name], again[name]) {
				t.Errorf("%s: applied, it is not what the run gives", name)
			}
			_, learned := r.Run.Weights[name]
			switch {
			case bytes.Equal(after[name], want) == learned:
				t.Errorf("%s: learned %v, changed %v", name, learned, !learned)
			case strings.Contains(name, "running") && learned:
				moved++
			case strings.Contains(name, "running"):
				still++
			}
		}
		if (moved > 0) != moves || still == 0 {
			t.Errorf("with %v %d statistics moved and %d stood still", moves, moved, still)
		}
		checkTail(t, c, r.Run)
	}
}
