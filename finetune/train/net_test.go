package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/ship"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
)

// smallNet is a recipe's training of two epochs on synthetic faces, with a
// network small enough for tests.
func smallNet(t testing.TB, kind, recipe, out string) NetConfig {
	t.Helper()
	c, err := NewNetConfig(kind, recipe)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
	c.Out, c.Fit.Epochs, c.Fit.Threads, c.Fit.Seed, c.Version = out, 2, 1, 1, "v1"
	switch {
	case recipe == run.RecipeStudy:
	case kind == nets.KindCNN:
		net := nets.StrongCNN(0)
		net.Stem, net.Stages = 4, []int{4, 6}
		c.Net = net
	default:
		net := nets.StrongViT(0)
		net.Stem, net.Width, net.Heads, net.MLP, net.Depth, net.Patch = []int{4, 8}, 8, 2, 12, 2, 2
		c.Net = net
	}
	return c
}

func trainNet(t testing.TB, c NetConfig) Result {
	t.Helper()
	r, err := Net(context.Background(), c, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func weightsOf(t testing.TB, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var netCases = []struct{ kind, recipe string }{{nets.KindCNN, run.RecipeStudy}, {nets.KindCNN, run.RecipeStrong}, {nets.KindViT, run.RecipeStudy}, {nets.KindViT, run.RecipeStrong}}

// TestNetRuns trains each recipe and checks what its folder holds, that eval
// says the same again, and that the exported file does.
func TestNetRuns(t *testing.T) {
	for _, c := range netCases {
		t.Run(c.kind+"/"+c.recipe, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			r := trainNet(t, smallNet(t, c.kind, c.recipe, out))
			if len(r.Reports) != 2 || r.Reports[0].Split != dataset.PublicTest || r.Reports[0].Total != 28 {
				t.Fatalf("reports %+v, want 28 faces of both test splits", r.Reports)
			}
			checkNetFolder(t, out, r)
			e, err := judge.Evaluate(context.Background(), judge.Config{Run: out, Splits: []string{"private-test", "train"}, Options: model.Options{Runtime: session.Options{Threads: 1}}})
			if err != nil {
				t.Fatal(err)
			}
			if e.Reports[0].Loss != r.Reports[1].Loss || e.Reports[1].Total != 84 || len(e.Notes) != 0 {
				t.Errorf("evaluated to %+v with notes %q, trained to %+v", e.Reports, e.Notes, r.Reports[1])
			}
			checkNetExport(t, out)
		})
	}
}

func checkNetFolder(t *testing.T, out string, r Result) {
	t.Helper()
	rows := runtest.ReadCSV(t, filepath.Join(out, "history.csv"))
	if len(rows) != 3 || rows[2][2] == "" {
		t.Errorf("history %v, want two epochs with validation", rows)
	}
	correct, predictions := 0, runtest.ReadCSV(t, filepath.Join(out, "predictions-"+dataset.PublicTest+".csv"))
	for _, p := range predictions[1:] {
		if p[2] == p[3] {
			correct++
		}
	}
	if p := predictions; p[1][0] != "84" || p[1][1] != "PublicTest_00084" || len(p) != 29 || len(p[1]) != 13 || correct != r.Reports[0].Correct {
		t.Errorf("predictions %v with %d correct, want 28 of 7 classes, %d correct", p[:2], correct, r.Reports[0].Correct)
	}
	if exists(filepath.Join(out, run.CheckpointFile)) {
		t.Error("a finished run keeps its checkpoint")
	}
	again, err := run.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range r.Run.Weights {
		if !slices.Equal(v, again.Weights[name]) {
			t.Errorf("weight %s does not read back", name)
		}
	}
	c := again.Config
	if c.Training.Samples != 84 || c.Training.Epoch != 2 || c.Training.Validation != dataset.PublicTest || !strings.HasPrefix(c.Dataset.Fingerprint, "sha256:") {
		t.Errorf("recorded %+v and %+v", c.Training, c.Dataset)
	}
}

// photos are a face of the right size and what has to be made one.
func photos(t *testing.T) []preprocess.Image {
	t.Helper()
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: 4, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out []preprocess.Image
	for i := range 6 {
		im, err := d.Image(t.Context(), i*5)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, im)
	}
	return append(out, runtest.Images()...)
}

// checkNetExport compares the file in ONNX Runtime with the engine.
func checkNetExport(t *testing.T, dir string) {
	t.Helper()
	orttest.Require(t)
	file := filepath.Join(t.TempDir(), "net.onnx")
	e, err := ship.Export(t.Context(), ship.Config{Run: dir, Out: file, Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Inputs) != 1 || e.Inputs[0] != "pixels uint8 [N,C,H,W]" || len(e.Labels) != 7 {
		t.Errorf("exported %+v", e)
	}
	var open [2]*model.Predictor
	for i, path := range []string{dir, file} {
		if open[i], err = model.Open(t.Context(), path, model.Options{Runtime: session.Options{Provider: session.CPU}}); err != nil {
			t.Fatal(err)
		}
		defer open[i].Close()
	}
	a, b := open[0], open[1]
	var first []float32
	for i, im := range photos(t) {
		want, err := a.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			if d := math.Abs(float64(got[k] - want[k])); !(d <= 1e-5) {
				t.Errorf("image %d, class %d: %g in the file, %g in the engine", i, k, got[k], want[k])
			}
		}
		if first == nil {
			first = want
		} else if slices.Equal(first, want) {
			t.Errorf("image %d has the probabilities of the first; the comparison shows nothing", i)
		}
	}
}

// TestNetResumes kills a training in its second epoch and wants the run that
// was not killed, byte for byte.
func TestNetResumes(t *testing.T) {
	dir := t.TempDir()
	whole := smallNet(t, nets.KindCNN, run.RecipeStrong, filepath.Join(dir, "whole"))
	whole.Fit.Epochs, whole.Holdout, whole.Fit.KeepBest = 3, 0.2, true
	trainNet(t, whole)
	c := whole
	c.Out = filepath.Join(dir, "killed")
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Net(ctx, c, Observer{Progress: func(label string) func(done, total int64) {
		return func(done, total int64) {
			if label == "training (examples)" && done*3 > total {
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) || !exists(filepath.Join(c.Out, run.CheckpointFile)) || exists(filepath.Join(c.Out, "config.json")) {
		t.Fatalf("error %v, want a killed training that left a checkpoint", err)
	}
	other := c
	other.Augment.Rotate = 3
	_, err = Net(context.Background(), other, Observer{})
	runtest.WantError(t, err, "augmentation was hflip,rotate=10", "and now is hflip,rotate=3")
	var told []string
	if _, err := Net(context.Background(), c, Observer{Log: func(line string) { told = append(told, line) }}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, "after epoch 1") }) {
		t.Errorf("nothing was said of going on: %q", told)
	}
	if !bytes.Equal(weightsOf(t, whole.Out), weightsOf(t, c.Out)) {
		t.Error("the weights differ from those of a training that was not killed")
	}
	if !exists(filepath.Join(c.Out, "last.safetensors")) {
		t.Error("the last weights are not beside the best")
	}
	_, err = Net(context.Background(), c, Observer{})
	runtest.WantError(t, err, "--force")
	c.Force = true
	trainNet(t, c)
}

func TestNetConfigRefuses(t *testing.T) {
	for want, change := range map[string]func(*NetConfig){
		"no dataset":                 func(c *NetConfig) { c.Data.Path = "" },
		"no folder":                  func(c *NetConfig) { c.Out = "" },
		"option arch":                func(c *NetConfig) { c.Net = nets.CNN{Arch: "odd"} },
		"images of 20 pixels a side": func(c *NetConfig) { c.Augment.Crop = 20 },
		"choose by a hold-out":       func(c *NetConfig) { c.Fit.KeepBest = true },
		"a hold-out of 1":            func(c *NetConfig) { c.Holdout = 1 },
		"soft labels come from FER+": func(c *NetConfig) { c.SoftLabels = 0.5 },
		`class weights "odd"`:        func(c *NetConfig) { c.ClassWeights = "odd" },
		`fit "stretch"`:              func(c *NetConfig) { c.Pixels.Fit = "stretch" },
		"cannot be cut out":          func(c *NetConfig) { c.Pixels.Fit, c.Pixels.Side = "crop", 20 },
		"batch 0":                    func(c *NetConfig) { c.Fit.Batch = 0 },
	} {
		c := smallNet(t, nets.KindViT, run.RecipeStudy, "x")
		change(&c)
		_, err := c.Check()
		runtest.WantError(t, err, want)
	}
	if _, err := NewNetConfig(nets.KindCNN, "magic"); err == nil || !strings.Contains(err.Error(), "strong, study") {
		t.Errorf("error %v, want one that lists the recipes", err)
	}
}

// TestImportGivesPyTorchsLogits reads the fixtures that PyTorch wrote: weights
// by the study's names, inputs, and the logits of inference.
// imagesOf are tensors as examples.
// TestSoftTargets mixes votes by hand.
func TestSoftTargets(t *testing.T) {
	d := &dataset.Dataset{Classes: dataset.FERClasses, Samples: []dataset.Sample{
		{Label: 0, Votes: []uint8{5, 0, 0, 0, 3, 0, 0, 2, 0, 0}}, // neutral 5, anger 3, contempt 2
		{Label: 3, Votes: []uint8{0, 0, 0, 0, 0, 0, 0, 0, 0, 10}},
	}}
	f := run.Rows{Labels: []int{0, 3}, IDs: []string{"a", "b"}, Indices: []int{0, 1}}
	got, err := softTargets(d, f, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0.5 + 0.5*3.0/8, 0, 0, 0, 0, 0, 0.5 * 5.0 / 8, 0, 0, 0, 1, 0, 0, 0}
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= 1e-6) {
			t.Errorf("target %d is %g, want %g", i, got[i], want[i])
		}
	}
	d.Samples[1].Votes = nil
	if _, err := softTargets(d, f, 0.5); err == nil || !strings.Contains(err.Error(), "b has no votes") {
		t.Errorf("error %v, want one on missing votes", err)
	}
}

// TestHeadsByDescent wants the strong recipe to learn, to resume, and to export
// what it predicts.
func TestHeadsByDescent(t *testing.T) {
	dir := t.TempDir()
	store := runtest.Store(t, dir, runtest.Usual())
	c := HeadConfig{Embeddings: store, Out: filepath.Join(dir, "whole"), Recipe: run.RecipeStrong, UseFlip: true, Seed: 4}
	r := trainUsual(t, c)
	if !(r.Reports[0].Accuracy >= 0.75) || !r.Run.Config.Head.Standardize || r.Run.Config.Net.(nets.Head).Hidden != 512 {
		t.Errorf("accuracy %g with %+v", r.Reports[0].Accuracy, r.Run.Config.Net)
	}
	c.Out = filepath.Join(dir, "killed")
	ctx, cancel := context.WithCancel(context.Background())
	seen := 0
	_, err := Head(ctx, c, Observer{Log: func(line string) {
		if strings.HasPrefix(line, "epoch ") {
			if seen++; seen == 4 {
				cancel()
			}
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the killing", err)
	}
	trainUsual(t, c)
	if !bytes.Equal(weightsOf(t, filepath.Join(dir, "whole")), weightsOf(t, c.Out)) {
		t.Error("the weights differ from those of a training that was not killed")
	}
}
