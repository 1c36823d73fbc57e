package ship

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/fit"
	"graft/finetune/internal/runtest"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/onnx"
	"graft/onnx/meta"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/pretrained"
	"graft/pretrained/vit/vittest"
)

// maxDifference is how far an exported file's probabilities may be from the
// pipeline's. The promise is 1e-4; float32 leaves far less.
const maxDifference = 1e-5

func random32(rng *rand.Rand, n int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64() * scale)
	}
	return out
}

// makeRun writes a run with a random head on the backbone.
func makeRun(t *testing.T, backbone string, foreign *preprocess.Spec, taps []string, flip bool) string {
	t.Helper()
	b, err := pretrained.Open(t.Context(), backbone, pretrained.Options{Foreign: foreign, Runtime: session.Options{Provider: session.CPU}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dims, dim := map[string]int{}, 0
	for _, tap := range taps {
		dims[tap] = b.Dim(tap)
		dim += dims[tap]
	}
	classes := []string{"angry", "happy", "sad", "plain, with a comma"}
	c := run.Config{
		Format: "graft-run-1", Kind: nets.KindHead, Classes: classes,
		Head: run.HeadRecord{Recipe: run.RecipeLBFGS, Taps: taps, Dim: dim, Standardize: true, UseFlip: flip},
		Backbone: run.BackboneRecord{Model: run.Absolute(backbone), SHA256: b.Hash(), Source: b.Source(), Preprocessing: b.Preprocessing(),
			Dims: dims},
		Notes: []string{"a note"},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	r := &run.Run{Dir: t.TempDir(), Config: c}
	weights := map[string][]float32{"head.weight": random32(rng, len(classes)*dim, 1/math.Sqrt(float64(dim))), "head.bias": random32(rng, len(classes), 0.5),
		nets.FeatureMean: random32(rng, dim, 1), nets.FeatureStd: random32(rng, dim, 1)}
	for i, v := range weights[nets.FeatureStd] {
		weights[nets.FeatureStd][i] = float32(math.Abs(float64(v))) + 0.3
	}
	r.Config.Net, r.Weights = nets.Head{Features: dim, Outputs: len(classes), Standardize: true}, weights
	if err := r.SaveModel(); err != nil {
		t.Fatal(err)
	}
	return r.Dir
}

func openTest(t *testing.T, path string) *model.Predictor {
	t.Helper()
	p, err := model.Open(t.Context(), path, model.Options{Runtime: session.Options{Provider: session.CPU}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// comparePredictors checks that the exported file says what the run says, and
// that this is not the same for every image.
func comparePredictors(t *testing.T, run, file string) {
	t.Helper()
	a, b := openTest(t, run), openTest(t, file)
	if got, want := strings.Join(b.Labels(), "|"), strings.Join(a.Labels(), "|"); got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
	if notes := b.Notes(); len(notes) != 1 || notes[0] != "a note" {
		t.Errorf("notes %q, want the run's", notes)
	}
	checkShared(t, a)
	checkShared(t, b)
	seen := map[string]bool{}
	for i, im := range runtest.Images() {
		want, err := a.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Image(context.Background(), im)
		if err != nil {
			t.Fatal(err)
		}
		seen[fmt.Sprintf("%.4f", want)] = true
		for k := range want {
			if d := math.Abs(float64(got[k] - want[k])); !(d <= maxDifference) {
				t.Errorf("image %d, class %d: %g in the file, %g in the pipeline", i, k, got[k], want[k])
			}
		}
	}
	if len(seen) < 2 {
		t.Error("every image got the same probabilities; the comparison shows nothing")
	}
}

func TestExportMatchesThePipeline(t *testing.T) {
	orttest.Require(t)
	backbone := vittest.WriteTiny(t, t.TempDir())
	for _, c := range []struct {
		taps string
		flip bool
	}{{"cls", false}, {"mean_1,cls", false}, {"cls,mean,cls_2,mean_1", true}} {
		t.Run(fmt.Sprint(c.taps, c.flip), func(t *testing.T) {
			dir := makeRun(t, backbone, nil, strings.Split(c.taps, ","), c.flip)
			out := filepath.Join(t.TempDir(), "whole.onnx")
			e, err := Export(t.Context(), Config{Run: dir, Out: out, Version: "v1"})
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Inputs) != 1 || !strings.HasPrefix(e.Inputs[0], "pixels uint8 [") || len(e.Outputs) != 2 {
				t.Errorf("inputs %v, outputs %v", e.Inputs, e.Outputs)
			}
			comparePredictors(t, dir, out)
			checkBatch(t, out, 1)
		})
	}
}

// TestWhatStandsBeside: the classes a line each, and a card with the run's figures, or with the word that there are none.
func TestWhatStandsBeside(t *testing.T) {
	orttest.Require(t)
	dir := t.TempDir()
	r := makeRun(t, vittest.WriteTiny(t, dir), nil, []string{"cls"}, true)
	want := func(parts ...string) {
		t.Helper()
		e, err := Export(t.Context(), Config{Run: r, Out: filepath.Join(dir, "faces.onnx"), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		labels, err1 := os.ReadFile(e.LabelsFile)
		card, err2 := os.ReadFile(e.Card)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if e.LabelsFile != filepath.Join(dir, "faces.labels.txt") || string(labels) != "angry\nhappy\nsad\nplain, with a comma\n" {
			t.Errorf("%s holds %q", e.LabelsFile, labels)
		}
		for _, part := range parts {
			if !strings.Contains(string(card), part) {
				t.Errorf("the card has no %q:\n%s", part, card)
			}
		}
	}
	want("The run has judged no split", "a note", "mirror image", "32×32", "`probabilities float32 [N,4]`", "graft test")
	accuracy := 0.5
	report := metrics.Report{Split: "public-test", Total: 8, Accuracy: 0.625, Interval: [2]float64{0.3, 0.86},
		Clean: &metrics.Clean{Total: 6, Accuracy: &accuracy, Interval: [2]float64{0.19, 0.81}}, Classes: []metrics.Class{{Name: "sad", Total: 3, Recall: 1}}}
	if err := run.KeepReports(r, []metrics.Report{report}); err != nil {
		t.Fatal(err)
	}
	want("| accuracy, as published | 62.5% (30.0–86.0) |", "| accuracy, clean | 50.0% (19.0–81.0) of 6 |", "| sad | 100.0% of 3 |", "| angry | – |")
}

// A run's temperature is in the file: its probabilities, by ONNX Runtime, are what the
// run's predictor says, and its logits are as they were.
func TestExportedTemperature(t *testing.T) {
	orttest.Require(t)
	const temperature = 1.7
	backbone := vittest.WriteTiny(t, t.TempDir())
	for _, flip := range []bool{false, true} {
		dir := makeRun(t, backbone, nil, []string{"cls", "mean"}, flip)
		plain, out := filepath.Join(t.TempDir(), "plain.onnx"), filepath.Join(t.TempDir(), "whole.onnx")
		if _, err := Export(t.Context(), Config{Run: dir, Out: plain}); err != nil {
			t.Fatal(err)
		}
		r, err := run.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		r.Config.Temperature = temperature
		if err := r.SaveModel(); err != nil {
			t.Fatal(err)
		}
		if _, err := Export(t.Context(), Config{Run: dir, Out: out}); err != nil {
			t.Fatal(err)
		}
		comparePredictors(t, dir, out)
		if got, want := checkBatch(t, out, temperature), checkBatch(t, plain, 1); !slices.Equal(got, want) {
			t.Errorf("logits %v, without a temperature %v", got, want)
		}
	}
	net := nets.StudyCNN(4)
	m, err := classifier(net, nets.Init(net, 1), run.PixelsRecord{Side: 32, Fit: run.FitResize}, temperature, false)
	if err != nil {
		t.Fatal(err)
	}
	pixels := randomBytes(32 * 32)
	logits := runtime(t, m, pixels, 1, 4, 1, 32, 32)
	m.Outputs = m.Outputs[1:]
	near(t, "a network's probabilities", runtime(t, m, pixels, 1, 4, 1, 32, 32), fit.Probabilities(fit.Cool(logits, temperature), 4), maxDifference)
}

// checkBatch checks that images classified together get what they get alone, and that
// probabilities are the softmax of logits by the temperature; it returns the logits.
func checkBatch(t *testing.T, path string, temperature float64) []float32 {
	t.Helper()
	s, err := orttest.Open(path, session.Options{Provider: session.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(5, 6))
	const n, k, size = 3, 4, 3 * 32 * 32
	pixels := make([]uint8, n*size)
	for i := range pixels {
		pixels[i] = uint8(rng.IntN(256))
	}
	run := func(images int, pix []uint8) (probs, logits []float32) {
		probs, logits = make([]float32, images*k), make([]float32, images*k)
		shape := []int64{int64(images), k}
		err := s.Run(context.Background(), []session.Tensor{{Name: "pixels", Shape: []int64{int64(images), 3, 32, 32}, Data: pix}},
			[]session.Tensor{{Name: "probabilities", Shape: shape, Data: probs}, {Name: "logits", Shape: shape, Data: logits}})
		if err != nil {
			t.Fatal(err)
		}
		return probs, logits
	}
	together, logits := run(n, pixels)
	for i := range n {
		alone, _ := run(1, pixels[i*size:(i+1)*size])
		sum := 0.0
		for c := range k {
			sum += math.Exp(float64(logits[i*k+c]) / temperature)
		}
		for c := range k {
			if d := math.Abs(float64(alone[c] - together[i*k+c])); !(d <= maxDifference) {
				t.Errorf("image %d, class %d: %g together, %g alone", i, c, together[i*k+c], alone[c])
			}
			soft := math.Exp(float64(logits[i*k+c])/temperature) / sum
			if !(math.Abs(soft-float64(together[i*k+c])) <= maxDifference) {
				t.Errorf("image %d, class %d: softmax of the logits is %g, probability %g", i, c, soft, together[i*k+c])
			}
		}
	}
	return logits
}

func TestExportLeavesOutWhatIsNotNeeded(t *testing.T) {
	orttest.Require(t)
	backbone := vittest.WriteTiny(t, t.TempDir())
	out := filepath.Join(t.TempDir(), "whole.onnx")
	if _, err := Export(t.Context(), Config{Run: makeRun(t, backbone, nil, []string{"cls_1"}, false), Out: out, Version: "v1"}); err != nil {
		t.Fatal(err)
	}
	whole, err := onnx.Open(backbone)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	m, err := onnx.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	// One block of two is enough for cls_1.
	if got, limit := m.WeightBytes(), whole.WeightBytes()*2/3; got > limit {
		t.Errorf("%d bytes of weights, the backbone has %d: the second block must be gone", got, whole.WeightBytes())
	}
	about, err := meta.Read(m.Metadata)
	if err != nil || len(about.Labels) != 4 || about.Labels[3] != "plain, with a comma" || about.Spec.Size != 32 || len(about.BackboneSHA256) != 64 {
		t.Errorf("%+v, %v: want four labels, the image size and the backbone's hash", about, err)
	}
	if len(m.Outputs) != 2 || m.Outputs[0].Name != "logits" || m.Outputs[1].Name != "probabilities" {
		t.Errorf("outputs %v, want logits and probabilities", m.Outputs)
	}
}

func TestExportRefuses(t *testing.T) {
	orttest.Require(t)
	folder := t.TempDir()
	backbone := vittest.WriteTiny(t, folder)
	dir := makeRun(t, backbone, nil, []string{"cls"}, false)
	_, err := Export(t.Context(), Config{Run: dir, Out: backbone})
	runtest.WantError(t, err, "backbone itself")
	if link := filepath.Join(t.TempDir(), "link.onnx"); os.Symlink(backbone, link) == nil {
		_, err = Export(t.Context(), Config{Run: dir, Out: link})
		runtest.WantError(t, err, "backbone itself")
	}
	other := vittest.Write(t, t.TempDir(), vittest.Config, 2)
	_, err = Export(t.Context(), Config{Run: dir, Model: other, Out: filepath.Join(folder, "x.onnx")})
	runtest.WantError(t, err, other, "SHA-256")
	_, err = Export(t.Context(), Config{Run: dir, Out: filepath.Join(folder, "x.onnx"), Foreign: &preprocess.Spec{}})
	runtest.WantError(t, err, "describes itself")
	if err := os.Rename(backbone, filepath.Join(folder, "elsewhere.onnx")); err != nil {
		t.Fatal(err)
	}
	_, err = Export(t.Context(), Config{Run: dir, Out: filepath.Join(folder, "x.onnx")})
	runtest.WantError(t, err, backbone, "--model")
	if _, err := Export(t.Context(), Config{Run: dir, Model: filepath.Join(folder, "elsewhere.onnx"), Out: filepath.Join(folder, "x.onnx")}); err != nil {
		t.Errorf("with --model: %v", err)
	}
}

func TestBackboneIsFoundBesideTheRun(t *testing.T) {
	orttest.Require(t)
	backbone := vittest.WriteTiny(t, t.TempDir())
	dir := makeRun(t, backbone, nil, []string{"cls"}, false)
	if err := os.Rename(backbone, filepath.Join(dir, filepath.Base(backbone))); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir)
}

func TestPredictorComparesPreprocessing(t *testing.T) {
	orttest.Require(t)
	dir := makeRun(t, vittest.WriteTiny(t, t.TempDir()), nil, []string{"cls"}, false)
	r, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Config.Backbone.Preprocessing.Crop = 0.75
	if err := r.SaveModel(); err != nil {
		t.Fatal(err)
	}
	_, err = model.Open(t.Context(), dir, model.Options{Runtime: session.Options{Provider: session.CPU}})
	runtest.WantError(t, err, "preprocessing differs", "shorter side to 32/0.75")
}
