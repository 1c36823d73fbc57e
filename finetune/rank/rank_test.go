package rank

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"graft/finetune/metrics"
	"graft/onnx/ort/orttest"
	"graft/onnx/session"
	"graft/preprocess"
	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/vit/vittest"
)

func openFaces(t *testing.T, perClass int) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: dataset.SyntheticPath, PerClass: perClass, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDraw(t *testing.T) {
	ids := func(seed uint64, sample int, splits ...string) string {
		d := openFaces(t, 30)
		c := Config{Data: d, Sample: sample, Seed: seed, Splits: splits}
		if err := c.draw(); err != nil {
			t.Fatal(err)
		}
		var out []string
		perClass := map[int]int{}
		for _, s := range d.Samples {
			if s.Split != c.Splits[0] {
				t.Errorf("sample %s is of %s, want %s alone", s.ID, s.Split, c.Splits[0])
			}
			perClass[s.Label]++
			out = append(out, s.ID)
		}
		for y, n := range perClass {
			if len(perClass) != 7 || n != len(out)/7 {
				t.Errorf("%d of %d samples are of class %d, want a seventh", n, len(out), y)
			}
		}
		return strings.Join(out, " ")
	}
	a, b, again := ids(1, 70), ids(2, 70), ids(1, 70)
	if a == b || a != again || strings.Count(a, " ") != 69 {
		t.Errorf("draws %s, %s and again %s: want 70 images that depend on the seed", a, b, again)
	}
	if all := ids(1, 0); strings.Count(all, " ") != 209 {
		t.Errorf("all of train are %d images", 1+strings.Count(all, " "))
	}
	ids(1, 21, "private-test")
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Data: openFaces(t, 30), Splits: []string{"exam"}}, "exam"},
		{Config{Data: openFaces(t, 2)}, "14 images"},
	} {
		if err := c.config.draw(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// features are rows around a point for each class, noise away from it.
func features(n, dim, classes int, noise float64, seed uint64) judged {
	rng := rand.New(rand.NewPCG(seed, 3))
	centres := make([]float64, classes*dim)
	for i := range centres {
		centres[i] = rng.NormFloat64()
	}
	j := judged{dim: dim, classes: classes, seed: seed}
	for range n {
		y := rng.IntN(classes)
		j.labels = append(j.labels, y)
		for d := range dim {
			j.x = append(j.x, float32(centres[y*dim+d]+noise*rng.NormFloat64()))
		}
	}
	return j
}

func TestTapsAreJudged(t *testing.T) {
	ctx := context.Background()
	easy, err := features(300, 12, 4, 0.2, 5).tap(ctx, "cls")
	if err != nil || easy.Probe.Accuracy < 0.99 || easy.KNN.Accuracy < 0.99 {
		t.Errorf("on clear classes: %+v, %v", easy, err)
	}
	// Labels that have nothing to do with the features: whoever judges an image
	// by itself is right, whoever does not is at chance.
	j := features(400, 12, 4, 0.2, 6)
	rng := rand.New(rand.NewPCG(8, 8))
	for i := range j.labels {
		j.labels[i] = rng.IntN(4)
	}
	lost, err := j.tap(ctx, "cls")
	if err != nil || lost.Probe.Accuracy > 0.35 || lost.KNN.Accuracy > 0.35 {
		t.Errorf("on labels by chance: %+v, %v; want a quarter right", lost, err)
	}
	// A class of one image is in train or held out, never both.
	rare := features(60, 5, 3, 0.2, 7)
	rare.classes, rare.labels[11] = 4, 3
	if got, err := rare.tap(ctx, "cls"); err != nil || got.Probe.Total != 60 || got.Probe.Correct > 59 || got.KNN.Correct > 59 {
		t.Errorf("with a class of one image: %+v, %v", got, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := features(60, 5, 3, 0.2, 7).tap(cancelled, "cls"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// Copies with labels by chance are right only where an image judges its copy, which
// groups keep from happening.
func TestCopiesDoNotJudgeEachOther(t *testing.T) {
	j := features(150, 12, 3, 9, 9) // hardly like each other
	rng := rand.New(rand.NewPCG(8, 8))
	for i := range j.labels {
		j.labels[i] = rng.IntN(3)
	}
	copied := func(groups bool) judged {
		c := j
		for range 2 {
			c.x, c.labels = append(slices.Clone(c.x), c.x...), append(slices.Clone(c.labels), c.labels...)
		}
		for i := range c.labels {
			if groups {
				c.groups = append(c.groups, i%len(j.labels))
			}
		}
		return c
	}
	leaky, err := copied(false).tap(context.Background(), "cls")
	if err != nil || leaky.KNN.Accuracy < 0.9 {
		t.Errorf("of copies taken for images of their own: %v, %v", leaky.KNN, err)
	}
	honest, err := copied(true).tap(context.Background(), "cls")
	if err != nil || honest.KNN.Accuracy > 0.5 || honest.Probe.Accuracy > 0.45 || honest.Probe.Total != 600 {
		t.Errorf("of copies kept on one side: %v, %v, %v; want a third right", honest.KNN, honest.Probe, err)
	}
}

func TestRun(t *testing.T) {
	orttest.Require(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir := t.TempDir()
	model, twin := vittest.WriteTiny(t, dir), vittest.WriteTiny(t, t.TempDir())
	files, err := Find([]string{model, twin}, dir)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	c := Config{Data: openFaces(t, 20), Backbones: files, Runtime: session.Options{Provider: session.CPU}, Sample: 70, Seed: 4,
		Log: func(line string) { said = append(said, line) }}
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Backbones) != 2 || r.Images != 70 || len(said) != 2 || !strings.HasPrefix(r.Fingerprint, "sha256:") || len(r.Recommendation.Equal) != 2 {
		t.Errorf("report %+v, said %q", r, said)
	}
	b := r.Backbones[0]
	info, _ := os.Stat(model)
	if b.Bytes != info.Size() || b.Parameters == 0 || !b.Random || b.Images != 70 || b.ImagesPerSecond <= 0 || len(b.Taps) != 4 || b.Provider != "cpu" {
		t.Errorf("backbone %+v", b)
	}
	if b.Taps[0].Probe.Accuracy < b.Taps[3].Probe.Accuracy || b.Taps[0].KNN.Total != 70 {
		t.Errorf("taps %+v, want the best first", b.Taps)
	}
	if other := r.Backbones[1]; other.Name == b.Name || !reflect.DeepEqual(other.Taps[0], b.Taps[0]) {
		t.Errorf("equal files %s and %s scored %+v and %+v", b.Name, other.Name, b.Taps[0], other.Taps[0])
	}
	if len(b.groups) != 70 || len(r.groups) != 70 {
		t.Errorf("%d and %d groups of the 70 images are known, want all", len(b.groups), len(r.groups))
	}
	if len(r.Tests) != 1 || r.Tests[0].Verdict != metrics.Equal || r.Tests[0].P != 1 || r.Tests[0].Total != 70 {
		t.Errorf("tests of equal files %+v", r.Tests)
	}
	if data, err := json.Marshal(r); err != nil || !strings.Contains(string(data), `"accuracy_ci95":[`) || !strings.Contains(string(data), `"p_holm":1,`) {
		t.Errorf("JSON %s, %v", data, err)
	}
	c.Data, c.Taps = openFaces(t, 20), []string{"cls_9"}
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "cls_9") || !strings.Contains(err.Error(), twin) {
		t.Errorf("error %v, want one that names tap and backbone", err)
	}
	// A fault of the second shows before the first has run.
	c.Data, c.Taps, said = openFaces(t, 20), nil, nil
	opened := files[1].opened
	gone := pretrained.File{Path: filepath.Join(dir, "gone.onnx"), Header: opened.Header, Meta: opened.Meta}
	c.Backbones = []File{files[0], {Name: "gone", Path: gone.Path, opened: &gone}}
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "rank gone") || said != nil {
		t.Errorf("error %v after %q, want one on gone at once", err, said)
	}
	c.Backbones, c.Foreign = files, &preprocess.Spec{}
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "settings for foreign models") {
		t.Errorf("error %v, want one on settings that nothing heeds", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.Data, c.Foreign = openFaces(t, 20), nil
	c.Log = func(string) { cancel() }
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left %v behind", left)
	}
	if _, err := Run(context.Background(), Config{Data: c.Data}); err == nil {
		t.Error("no backbone was accepted")
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.onnx")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ word, want string }{
		{"vit_b_16", "graft model pull vit_b_16"},
		{"vit_b_17", "graft model list"},
		{text, text},
		{dir, dir},
	} {
		if _, err := Find([]string{c.word}, dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.word, err, c.want)
		}
	}
	if err := os.Rename(vittest.WriteTiny(t, dir), filepath.Join(dir, "vit_b_16.onnx")); err != nil {
		t.Fatal(err)
	}
	f, err := Find([]string{"vit_b_16"}, dir)
	if err != nil || f[0].Path != filepath.Join(dir, "vit_b_16.onnx") || f[0].parameters != vittest.Config.Params() {
		t.Errorf("found %+v, %v, want the zoo's file with its number of parameters", f, err)
	}
	if _, err := Find([]string{"vit_b_16", dir + "/./vit_b_16.onnx"}, dir); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Errorf("error %v, want one on a file named twice", err)
	}
}
