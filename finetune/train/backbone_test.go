package train

import (
	"bytes"
	"context"
	"fmt"
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
	"graft/onnx"
	"graft/onnx/ort/orttest"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/vit/vittest"
)

// smallTuning fine-tunes the last two blocks of a network of three on drawn faces.
func smallTuning(t testing.TB, dir string) BackboneConfig {
	t.Helper()
	orttest.Require(t)
	network := vittest.Config
	network.Depth = 3
	c := NewBackboneConfig()
	c.Data = dataset.Ref{Path: dataset.SyntheticPath, Seed: 1, PerClass: 12}
	c.Model, c.Out, c.Unfreeze, c.Views = vittest.Write(t, dir, network, 1), filepath.Join(dir, "run"), "2", 3
	c.Fit.Epochs, c.Fit.Warmup, c.Fit.Batch, c.Fit.Seed, c.Fit.Threads, c.Holdout, c.Version = 3, 0.3, 16, 1, 1, 0.2, "v1"
	return c
}

func tune(t testing.TB, c BackboneConfig) Result {
	t.Helper()
	r, err := Backbone(context.Background(), c, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBackboneRuns fine-tunes, and wants eval and the exported file to say the same of the other splits, and the file to
// hold the backbone's own tensors to the byte but for those that were trained.
func TestBackboneRuns(t *testing.T) {
	dir := t.TempDir()
	c := smallTuning(t, dir)
	r := tune(t, c)
	tail := r.Run.Config.Net.(nets.Tail)
	if tail.Cut != "blocks.0.residual" || len(tail.Learned) != 26 || len(tail.Residuals) != 4 {
		t.Errorf("cut at %s, %d weights, residuals %v; want 26 of two blocks and the norm", tail.Cut, len(tail.Learned), tail.Residuals)
	}
	for _, w := range tail.Learned {
		want := map[string]int{"blocks.1": 2, "blocks.2": 1}[w.Name[:min(8, len(w.Name))]]
		if w.Depth != want {
			t.Errorf("%s lies %d blocks from the end, want %d", w.Name, w.Depth, want)
		}
	}
	history, err := run.ReadHistory(c.Out)
	if err != nil || len(history) != 3 || history[2].ValidationLoss == nil {
		t.Errorf("history %v, %v; want three epochs, validated", history, err)
	}
	if len(r.Reports) != 2 || r.Reports[0].Total != 28 || r.Reports[0].Clean == nil {
		t.Fatalf("reports %+v, want 28 faces of both test splits, clean ones told", r.Reports)
	}
	again, err := judge.Evaluate(t.Context(), judge.Config{Run: c.Out, Splits: []string{"public-test", "private-test"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "faces.onnx")
	if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
		t.Fatal(err)
	}
	shipped, err := judge.Evaluate(t.Context(), judge.Config{Run: file, Data: c.Data, Splits: []string{"public-test", "private-test"}})
	if err != nil {
		t.Fatal(err)
	}
	photos := filepath.Join(dir, "photos.onnx")
	if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: photos, Version: "v1", Whole: true}); err != nil {
		t.Fatal(err)
	}
	whole, err := judge.Evaluate(t.Context(), judge.Config{Run: photos, Data: c.Data, Splits: []string{"public-test", "private-test"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range r.Reports {
		for _, got := range [](judge.Evaluation){again, shipped, whole} {
			if got.Reports[i].Correct != want.Correct || !(math.Abs(got.Reports[i].Loss-want.Loss) < 1e-5) {
				t.Errorf("%s: %d right, loss %v; training said %d, %v", want.Split, got.Reports[i].Correct, got.Reports[i].Loss, want.Correct, want.Loss)
			}
		}
	}
	checkTensors(t, c.Model, file, r.Run)
	checkPredictor(t, c.Out, file)
}

// TestBackboneHoldsOutWhatItsHeadDid begins with a head of a hidden layer, and wants the rows that its training held out to
// be watched again: all others are known to the head.
func TestBackboneHoldsOutWhatItsHeadDid(t *testing.T) {
	dir := t.TempDir()
	c := smallTuning(t, dir)
	h := HeadConfig{Embeddings: extracted(t, c, filepath.Join(dir, "embeddings")), Out: filepath.Join(dir, "head"), Model: c.Model, Recipe: run.RecipeStrong}
	var err error
	if h.Descent, err = NewHeadDescent(h.Recipe); err != nil {
		t.Fatal(err)
	}
	h.Seed, h.Descent.Holdout, h.Descent.Fit.Epochs, h.Descent.Fit.Warmup = 5, 0.2, 1, 0
	trainUsual(t, h)
	c.Head, c.Fit.Epochs, c.Fit.Warmup = h.Out, 1, 0
	r := tune(t, c)
	var held [2]*run.Predictions
	for i, folder := range []string{h.Out, c.Out} {
		if held[i], err = run.ReadHeldOut(folder, r.Run.Config.Classes); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(held[0].IDs, held[1].IDs) || len(held[0].IDs) < 10 || strings.Contains(strings.Join(r.Run.Config.Notes, " "), "had seen") {
		t.Errorf("held out %v, the head held out %v; notes %v", held[1].IDs, held[0].IDs, r.Run.Config.Notes)
	}
	c.Holdout, c.Out = 0.3, filepath.Join(dir, "other")
	_, err = Backbone(t.Context(), c, Observer{})
	runtest.WantError(t, err, "a hold-out of 0.3", "held out 0.2")
}

// extracted writes a store of all that a network gives of a dataset.
func extracted(t *testing.T, c BackboneConfig, out string) string {
	t.Helper()
	d, err := dataset.Open(t.Context(), c.Data, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	all := pretrained.Options{Taps: []string{"all"}}
	b, err := pretrained.Open(t.Context(), c.Model, all)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := extract.Run(t.Context(), extract.Config{Data: d, Backbone: b, Out: out, Taps: all.Taps, Flip: true}, nil); err != nil {
		t.Fatal(err)
	}
	return out
}

// checkTensors compares an exported file with its backbone.
func checkTensors(t *testing.T, backbone, exported string, r *run.Run) {
	t.Helper()
	before, after := weights(t, backbone), weights(t, exported)
	kept := 0
	for name, want := range before {
		got, ok := after[name]
		learned, tuned := r.Weights[name]
		switch {
		case !ok || strings.HasPrefix(name, "head."):
			continue // no output needs it, or its classifier, whose name the new one has
		case !tuned && !bytes.Equal(got, want):
			t.Errorf("%s was not trained and is changed", name)
		case tuned:
			var b bytes.Buffer
			if _, err := onnx.Float32s(learned).WriteTo(&b); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, b.Bytes()) || bytes.Equal(got, want) {
				t.Errorf("%s: not what was trained, or as it was before", name)
			}
		default:
			kept++
		}
	}
	if kept < 12 {
		t.Errorf("%d tensors are the backbone's, want at least the first block's 12", kept)
	}
}

func weights(t *testing.T, path string) map[string][]byte {
	t.Helper()
	m, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out := map[string][]byte{}
	for _, w := range m.Initializers {
		var b bytes.Buffer
		if _, err := w.Data.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		out[w.Name] = b.Bytes()
	}
	return out
}

// checkPredictor wants the run and its file to say the same of images, mirrored averaging within.
func checkPredictor(t *testing.T, paths ...string) {
	t.Helper()
	var first [][]float32
	for _, path := range paths {
		p, err := model.Open(t.Context(), path, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, im := range runtest.Images() {
			got, err := p.Image(t.Context(), im)
			if err != nil {
				t.Fatal(err)
			}
			if path == paths[0] {
				first = append(first, got)
			}
			for k := range got {
				if !(math.Abs(float64(got[k]-first[i][k])) < 1e-5) {
					t.Errorf("%s, image %d: %v, the run says %v", path, i, got, first[i])
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackboneIsTheSameAgain wants equal settings to give equal bytes, on tokens that are there and on new ones, and a head
// that was trained before to be begun with.
func TestBackboneIsTheSameAgain(t *testing.T) {
	dir := t.TempDir()
	c := smallTuning(t, dir)
	tune(t, c)
	want := weightsOf(t, c.Out)
	for _, store := range []string{c.Out + ".tokens", filepath.Join(dir, "others")} {
		c.Out, c.Embeddings = filepath.Join(dir, "again-"+filepath.Base(store)), store
		tune(t, c)
		if !bytes.Equal(weightsOf(t, c.Out), want) {
			t.Errorf("%s: other weights from the same settings", c.Out)
		}
	}
}

// TestFoldsOfBackbones: each row of train is judged once, from its pixels, by the run that did not learn from it.
func TestFoldsOfBackbones(t *testing.T) {
	c := smallTuning(t, t.TempDir())
	c.Unfreeze, c.Views, c.Fit.Epochs, c.Holdout, c.Fit.KeepBest = "1", 2, 1, 0, false
	training, err := c.Check()
	if err != nil {
		t.Fatal(err)
	}
	all, err := training.Repeat(t.Context(), Repeats{Folds: 2}, Observer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Summary.Splits) != 3 {
		t.Errorf("splits %+v, want two tests and the folds", all.Summary.Splits)
	}
	rows := trainCount(t, c)
	if seen := checkFolds(t, c.Out, 2, rows); len(seen) != rows {
		t.Errorf("%d rows of %d were judged", len(seen), rows)
	}
	for _, name := range []string{"fold-1", "fold-2"} {
		e, err := judge.Evaluate(t.Context(), judge.Config{Run: filepath.Join(c.Out, name), Splits: []string{dataset.Train}})
		if err != nil || e.Reports[0].Clean == nil || e.Reports[0].Clean.Total == 0 {
			t.Errorf("%s: %+v, %v; want the rows of its fold to be clean", name, e.Reports, err)
		}
	}
	c.Head = c.Out
	if training, err = c.Check(); err != nil {
		t.Fatal(err)
	}
	_, err = training.Repeat(t.Context(), Repeats{Folds: 2}, Observer{})
	runtest.WantError(t, err, "has seen all of them")
}

func trainCount(t *testing.T, c BackboneConfig) int {
	t.Helper()
	d, err := dataset.Open(t.Context(), c.Data, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	indices, err := d.Select([]string{dataset.Train}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(indices)
}

// TestBackboneFresh changes images anew in each epoch: before the last block, and before all of the network, whose patch
// embedding and positions then learn, and its preprocessing does not.
func TestBackboneFresh(t *testing.T) {
	for unfreeze, want := range map[string]int{"1": 12 + 2, UnfreezeAll: 3*12 + 2 + 3} {
		t.Run(unfreeze, func(t *testing.T) {
			dir := t.TempDir()
			c := smallTuning(t, dir)
			c.Unfreeze, c.Views, c.Fit.Epochs = unfreeze, 0, 1
			r := tune(t, c)
			tail := r.Run.Config.Net.(nets.Tail)
			if len(tail.Learned) != want {
				t.Errorf("%d weights learn, want %d", len(tail.Learned), want)
			}
			for _, w := range tail.Learned {
				if strings.HasPrefix(w.Name, "pixel") || w.Name == "positions" && w.Depth != 4 {
					t.Errorf("%+v learns", w)
				}
			}
			file := filepath.Join(dir, "faces.onnx")
			if _, err := ship.Export(t.Context(), ship.Config{Run: c.Out, Out: file, Version: "v1"}); err != nil {
				t.Fatal(err)
			}
			checkPredictor(t, c.Out, file)
			if _, err := os.Stat(c.Out + ".tokens"); err == nil {
				t.Error("tokens were kept")
			}
			want := weightsOf(t, c.Out)
			c.Force = true
			tune(t, c)
			if !bytes.Equal(weightsOf(t, c.Out), want) {
				t.Error("other weights from the same settings")
			}
		})
	}
}

// TestTuningIdentity: a training that was begun before there were statistics to train goes on.
func TestTuningIdentity(t *testing.T) {
	how := Tuning{Only: OnlyBiases, LayerDecay: 0.75, DropPath: 0.1}
	if got, want := how.identity(), "{Only:biases Lora:0 LayerDecay:0.75 DropPath:0.1}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	still := how.identity()
	how.NormStats = true
	if how.identity() == still {
		t.Error("statistics that move are not told from those that stand still")
	}
}

// TestBackboneWithoutHead begins with zeros: no head is fitted, the first loss is that of equal probabilities, and random
// weights learn from there, where a head fitted to them begins far above.
func TestBackboneWithoutHead(t *testing.T) {
	c := smallTuning(t, t.TempDir())
	c.Head, c.Unfreeze, c.Views, c.Taps, c.Holdout, c.Fit.KeepBest, c.Fit.Smoothing = HeadNone, UnfreezeAll, 0, []string{"cls", "mean"}, 0, false, 0
	c.LayerDecay, c.DropPath, c.Augment.Mixup = 1, 0, 0
	var lines []string
	r, err := Backbone(t.Context(), c, Observer{Log: func(line string) { lines = append(lines, line) }})
	if err != nil {
		t.Fatal(err)
	}
	if log := strings.Join(lines, "\n"); strings.Contains(log, "lbfgs") {
		t.Errorf("a head was fitted:\n%s", log)
	}
	tail := r.Run.Config.Net.(nets.Tail)
	if tail.Head.Standardize || r.Run.Config.Head.Standardize {
		t.Error("the features are standardised")
	}
	h, err := os.ReadFile(filepath.Join(c.Out, "history.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var first float64
	if _, err := fmt.Sscanf(strings.Split(string(h), "\n")[1], "1,%g", &first); err != nil || !(first < math.Log(7)+0.3) {
		t.Errorf("the first epoch's loss is %g, %v; want little more than that of equal probabilities:\n%s", first, err, h)
	}
}

// TestBackboneRefuses names what is wrong before anything is made.
func TestBackboneRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		change func(*BackboneConfig)
		words  string
	}{
		{func(c *BackboneConfig) { c.Unfreeze = "0" }, "graft train head"},
		{func(c *BackboneConfig) { c.Unfreeze = "" }, "unfreeze-from"},
		{func(c *BackboneConfig) { c.Unfreeze = "4" }, "want 1 to 3"},
		{func(c *BackboneConfig) { c.Unfreeze = "some" }, "number of blocks"},
		{func(c *BackboneConfig) { c.Unfreeze, c.UnfreezeFrom = "", "nowhere" }, "nowhere"},
		{func(c *BackboneConfig) { c.Taps = []string{"cls_1"}; c.Unfreeze = "1" }, "no tap lies behind the cut"},
		{func(c *BackboneConfig) { c.Views = 1 }, "mirror image"},
		{func(c *BackboneConfig) { c.Unfreeze = UnfreezeAll }, "0 views"},
		{func(c *BackboneConfig) { c.Views, c.Embeddings = 0, "x" }, "nothing is kept"},
		{func(c *BackboneConfig) { c.LayerDecay = 0 }, "layer decay"},
		{func(c *BackboneConfig) { c.NormStats = true }, "no batch normalisation"},
		{func(c *BackboneConfig) { c.Data.FERPlus = "votes.csv" }, "votes"},
		{func(c *BackboneConfig) { c.Head = dir }, "no run folder"},
	} {
		config := smallTuning(t, dir)
		c.change(&config)
		_, err := Backbone(t.Context(), config, Observer{})
		runtest.WantError(t, err, strings.Split(c.words, "|")...)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "run*")); len(found) > 0 {
		t.Errorf("%v was made nevertheless", slices.Clone(found))
	}
}

// TestAdapterIsApplied wants the file of what was learned, put on the backbone, to give the tuned backbone, and to be
// refused by any other.
func TestAdapterIsApplied(t *testing.T) {
	dir := t.TempDir()
	c := smallTuning(t, dir)
	c.Lora, c.Views, c.Fit.Epochs = 2, 2, 1
	tune(t, c)
	adapter, applied, tuned := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "applied.onnx"), filepath.Join(dir, "tuned.onnx")
	if err := ship.Adapter(c.Out, adapter); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(adapter); err != nil || info.Size() > 16<<10 {
		t.Errorf("%v, %v: want a few kilobytes", info, err)
	}
	if _, err := ship.Apply(t.Context(), c.Model, adapter, applied, "v1"); err != nil {
		t.Fatal(err)
	}
	e, err := ship.Backbone(t.Context(), ship.Config{Run: c.Out, Out: tuned, Version: "v1"})
	if err != nil || len(e.Outputs) != 9 {
		t.Fatalf("%+v, %v; want the backbone's nine outputs", e, err)
	}
	before := weights(t, c.Model)
	for name, want := range weights(t, tuned) {
		if !bytes.Equal(weights(t, applied)[name], want) {
			t.Errorf("%s: applied, it is not what the run gives", name)
		}
		if changed := strings.Contains(name, "blocks.1.qkv.weight"); changed && bytes.Equal(before[name], want) {
			t.Errorf("%s is not changed", name)
		}
	}
	_, err = ship.Apply(t.Context(), tuned, adapter, filepath.Join(dir, "twice.onnx"), "v1")
	runtest.WantError(t, err, "SHA-256", "made for the backbone with")
	_, err = ship.Apply(t.Context(), c.Model, filepath.Join(c.Out, "model.safetensors"), filepath.Join(dir, "x.onnx"), "v1")
	runtest.WantError(t, err, "no adapter", "graft export --adapter")
}
