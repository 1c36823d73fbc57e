package judge_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/judge"
	"graft/finetune/knn"
	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// slowShares is what judge.EvaluateNearest says, in float64 and by sorting: the shares
// of the votes for one view of one image. own is its index in the dataset, which
// may not vote.
func slowShares(train load.Features, x []float32, own, k, classes int) []float64 {
	cosine := make([]float64, len(train.Labels))
	order := []int{}
	for i := range train.Labels {
		var dot, a, b float64
		for j, v := range x {
			w := float64(train.X[i*train.Dim+j])
			dot, a, b = dot+float64(v)*w, a+float64(v)*float64(v), b+w*w
		}
		cosine[i] = dot / math.Sqrt(a*b)
		if train.Indices[i] != own {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(math.Copysign(1, cosine[b]-cosine[a])) })
	shares, total := make([]float64, classes), 0.0
	for _, i := range order[:k] {
		w := math.Exp(cosine[i] / knn.Temperature)
		shares[train.Labels[i]] += w
		total += w
	}
	for c := range shares {
		shares[c] /= total
	}
	return shares
}

func TestEvaluateNearest(t *testing.T) {
	const k = 7
	dir := runtest.Store(t, t.TempDir(), runtest.Usual())
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		split  string
		flip   bool
		center bool
	}{
		{"test", "private-test", false, false}, {"flip", "private-test", true, false}, {"train", "train", false, false}, {"train, flip", "train", true, false},
		{"centred", "private-test", false, true}, {"centred train, flip", "train", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			predictions := t.TempDir()
			e, err := judge.EvaluateNearest(context.Background(), judge.NearestConfig{Embeddings: dir, Taps: []string{"mean", "cls"}, K: k,
				UseFlip: c.flip, Center: c.center, Splits: []string{c.split}, Predictions: predictions})
			if err != nil {
				t.Fatal(err)
			}
			train, err := load.ReadFeatures(s, []string{"mean", "cls"}, "train", c.flip)
			if err != nil {
				t.Fatal(err)
			}
			mean := make([]float32, train.Dim)
			if c.center {
				for d := range mean {
					var sum float64
					for i := d; i < len(train.X); i += train.Dim {
						sum += float64(train.X[i])
					}
					mean[d] = float32(sum / float64(len(train.Labels)))
				}
			}
			want, labels := slowReport(t, s, shifted(train, mean), mean, c.split, c.flip, k)
			got := e.Reports[0]
			if got.Correct != want.Correct || !(math.Abs(got.Loss-want.Loss) <= 1e-5) || !(math.Abs(got.ECE-want.ECE) <= 1e-5) {
				t.Errorf("%d correct, loss %g, ECE %g; the slow way says %d, %g, %g", got.Correct, got.Loss, got.ECE, want.Correct, want.Loss, want.ECE)
			}
			if got.Split != c.split || got.Total != len(labels) || !strings.Contains(got.Run, "7 nearest neighbours, weighted votes") {
				t.Errorf("report %+v", got)
			}
			if rows := runtest.ReadCSV(t, filepath.Join(predictions, "predictions-"+c.split+".csv")); len(rows) != 1+got.Total {
				t.Errorf("%d lines of predictions for %d images", len(rows), got.Total)
			}
		})
	}
}

// shifted is f less mean.
func shifted(f load.Features, mean []float32) load.Features {
	f.X = slices.Clone(f.X)
	for i := range f.X {
		f.X[i] -= mean[i%f.Dim]
	}
	return f
}

func slowReport(t *testing.T, s *store.Store, train load.Features, mean []float32, split string, flip bool, k int) (metrics.Report, []int) {
	t.Helper()
	f, err := load.ReadFeatures(s, []string{"mean", "cls"}, split, false)
	if err != nil {
		t.Fatal(err)
	}
	views := [][]float32{shifted(f, mean).X}
	if flip {
		mirrored, err := s.Matrix([]string{"mean", "cls"}, split, true)
		if err != nil {
			t.Fatal(err)
		}
		views = append(views, shifted(load.Features{X: mirrored.X, Dim: f.Dim}, mean).X)
	}
	var probs []float32
	for i := range f.Labels {
		sum := make([]float64, len(s.Classes()))
		for _, x := range views {
			own := -1
			if split == dataset.Train {
				own = f.Indices[i]
			}
			for c, v := range slowShares(train, x[i*f.Dim:(i+1)*f.Dim], own, k, len(sum)) {
				sum[c] += v / float64(len(views))
			}
		}
		for _, v := range sum {
			probs = append(probs, float32(v))
		}
	}
	r, err := metrics.Evaluate(probs, f.Labels, s.Classes())
	if err != nil {
		t.Fatal(err)
	}
	return r, f.Labels
}

func TestEvaluateNearestRefuses(t *testing.T) {
	spec := runtest.Usual()
	spec.Flip = false
	plain := runtest.Store(t, t.TempDir(), spec)
	spec.Splits, spec.Rows = []string{"val"}, map[string]int{"val": 20}
	noTrain := runtest.Store(t, t.TempDir(), spec)
	for _, c := range []struct {
		config judge.NearestConfig
		want   []string
	}{
		{judge.NearestConfig{Embeddings: plain}, []string{"0 nearest"}},
		{judge.NearestConfig{Embeddings: filepath.Join(plain, "none"), K: 1}, []string{"none"}},
		{judge.NearestConfig{Embeddings: plain, K: 1, UseFlip: true}, []string{"--flip"}},
		{judge.NearestConfig{Embeddings: plain, K: 1, Taps: []string{"cls_9"}}, []string{"cls_9", "cls, mean"}},
		{judge.NearestConfig{Embeddings: plain, K: 1, Splits: []string{"exam"}}, []string{"exam", "public-test"}},
		{judge.NearestConfig{Embeddings: plain, K: 241}, []string{"241 neighbours", "240 rows"}},
		{judge.NearestConfig{Embeddings: noTrain, K: 1}, []string{"no rows of train"}},
	} {
		_, err := judge.EvaluateNearest(context.Background(), c.config)
		runtest.WantError(t, err, c.want...)
	}
}

func TestEvaluateNearestNotes(t *testing.T) {
	spec := runtest.Usual()
	spec.Source, spec.Classes = "random:3", append(spec.Classes, "bored")
	spec.Rows = map[string]int{"train": 3, "public-test": 4, "private-test": 1}
	e, err := judge.EvaluateNearest(context.Background(), judge.NearestConfig{Embeddings: runtest.Store(t, t.TempDir(), spec), K: 2, Vote: knn.Equal})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(e.Notes, " ")
	if !strings.Contains(text, "No pretrained weights") || !strings.Contains(text, "no training sample") {
		t.Errorf("notes %q, want one on random weights and one on a class that train lacks", e.Notes)
	}
}
