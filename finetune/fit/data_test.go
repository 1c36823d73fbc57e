package fit

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"graft/finetune/nets"
	"graft/preprocess"
	"graft/preprocess/augment"
)

func TestPadding(t *testing.T) {
	net := nets.StudyCNN(2)
	net.Side = 20
	for _, weights := range [][]float64{nil, {0.5, 2}} {
		j := usualJob(t, net, augment.Pipeline{})
		j.Config = Config{Epochs: 1, Batch: 50, Optimizer: SGD, LearningRate: 0.1, Schedule: Constant, Smoothing: 0.1, Seed: 3, ClassWeights: weights}
		full := run(t, j)
		j.Config.Batch = 73
		padded := run(t, j)
		if d := full.History[0].TrainLoss - padded.History[0].TrainLoss; !(math.Abs(d) <= 1e-6) {
			t.Errorf("loss %g in a full batch, %g in a padded one", full.History[0].TrainLoss, padded.History[0].TrainLoss)
		}
		for name, v := range full.Last {
			for i := range v {
				if d := float64(v[i] - padded.Last[name][i]); !(math.Abs(d) <= 1e-6) {
					t.Fatalf("%s[%d]: %g after a full batch, %g after a padded one", name, i, v[i], padded.Last[name][i])
				}
			}
		}
	}
}

type given struct {
	x       [][]float32
	y       [][]int
	dim     int
	classes int
}

func (g given) Len() int     { return len(g.y[0]) }
func (g given) Shape() []int { return []int{g.dim} }
func (g given) Batch(x, targets []float32, epoch int, rows []int) error {
	clear(targets)
	for i, r := range rows {
		copy(x[i*g.dim:(i+1)*g.dim], g.x[epoch][r*g.dim:])
		targets[i*g.classes+g.y[epoch][r]] = 1
	}
	return nil
}

func TestTenStepsOfAdam(t *testing.T) {
	var f struct {
		Batch, Dim, Classes int
		Rate                float64
		X                   [][]float32
		Y                   [][]int
		Weight              [][]float32
		Bias                []float32
		Losses              []float64
		FinalWeight         [][]float32 `json:"final_weight"`
		FinalBias           []float32   `json:"final_bias"`
	}
	data, err := os.ReadFile("testdata/adam.json")
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, Job{
		Net: nets.Head{Features: f.Dim, Outputs: f.Classes}, Train: given{f.X, f.Y, f.Dim, f.Classes},
		Start:  map[string][]float32{"head.weight": slices.Concat(f.Weight...), "head.bias": f.Bias},
		Config: Config{Epochs: len(f.Losses), Batch: f.Batch, Optimizer: Adam, LearningRate: f.Rate, Schedule: Constant},
	})
	for i, want := range f.Losses {
		if got := r.History[i].TrainLoss; !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("loss of step %d is %.7f, PyTorch's %.7f", i+1, got, want)
		}
	}
	for name, want := range map[string][]float32{"head.weight": slices.Concat(f.FinalWeight...), "head.bias": f.FinalBias} {
		for i, v := range want {
			if got := r.Weights[name][i]; !(math.Abs(float64(got-v)) <= 1e-5) {
				t.Errorf("%s[%d] ends at %.7f, PyTorch's at %.7f", name, i, got, v)
			}
		}
	}
}

func TestTargetsAreChecked(t *testing.T) {
	p, labels := faces(t, 4)
	good := OneHot(labels, 2)
	for name, targets := range map[string][]float32{"short": good[:6], "empty row": append(slices.Clone(good[:6]), 0, 0),
		"negative": append(slices.Clone(good[:6]), 2, -1)} {
		if _, err := NewImages(p, upTo(0, 4), targets, 2, augment.Pipeline{}, 1); err == nil {
			t.Errorf("%s: targets %v were taken", name, targets)
		}
	}
}

func TestMirroredFeatures(t *testing.T) {
	f := Features{Dim: 1}
	for i := range 64 {
		f.X, f.Mirrored = append(f.X, float32(i)), append(f.Mirrored, float32(-i-1))
	}
	d, err := NewFeatures(f, upTo(0, 64), OneHot(slices.Repeat([]int{0, 1}, 32), 2), 2, 9)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for epoch := range 2 {
		x, mirrored := make([]float32, 64), 0
		if err := d.Batch(x, make([]float32, 128), epoch, upTo(0, 64)); err != nil {
			t.Fatal(err)
		}
		for i, v := range x {
			if v != f.X[i] && v != f.Mirrored[i] {
				t.Fatalf("row %d is %g", i, v)
			}
			if v < 0 {
				mirrored++
			}
		}
		if mirrored < 16 || mirrored > 48 {
			t.Errorf("%d of 64 rows are mirrored", mirrored)
		}
		seen = append(seen, fmt.Sprint(x))
	}
	if seen[0] == seen[1] {
		t.Error("both epochs drew alike")
	}
}

func TestViewsAreAveraged(t *testing.T) {
	p, _ := faces(t, 5)
	e, err := NewEvaluator(smallCNN, 3, 1)
	if err == nil {
		err = e.Use(nets.Init(smallCNN, 2))
	}
	if err != nil {
		t.Fatal(err)
	}
	q := NewPixels(5, 1, 20, 20)
	for i := range 5 {
		im := preprocess.Image{C: 1, H: 20, W: 20, Pix: p.bytes[i*400 : (i+1)*400]}
		if err := q.Set(i, im.Mirror()); err != nil {
			t.Fatal(err)
		}
	}
	logits := func(p *Pixels, mirror bool) []float32 {
		x, err := p.Plain(upTo(0, 5), 16, mirror)
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Logits(context.Background(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	a, b, both := logits(p, false), logits(q, false), logits(p, true)
	if slices.Equal(a, b) {
		t.Fatal("mirroring changes nothing")
	}
	for i := range both {
		if want := (a[i] + b[i]) / 2; !(math.Abs(float64(both[i]-want)) <= 1e-6) {
			t.Errorf("logit %d: %g, want %g", i, both[i], want)
		}
	}
}

func TestScore(t *testing.T) {
	logits := []float32{0, 0, 200, 0, 1, 0}
	loss, accuracy := Score(logits, []int{0, 1, 0}, 2)
	want := (math.Ln2 + 200 + math.Log(1+math.Exp(-1))) / 3
	if !(math.Abs(loss-want) <= 1e-6) || accuracy != 2.0/3 {
		t.Errorf("loss %g, accuracy %g; want %g and 2/3", loss, accuracy, want)
	}
	p := Probabilities(logits, 2)
	for i, want := range []float64{0.5, 0.5, 1, 0, 0.7310586, 0.2689414} {
		if !(math.Abs(float64(p[i])-want) <= 1e-6) {
			t.Errorf("probability %d is %g, want %g", i, p[i], want)
		}
	}
}

func TestPixelsAreResizedOnce(t *testing.T) {
	im := preprocess.New(1, 48, 48)
	for i := range im.Pix {
		im.Pix[i] = uint8(i * 7)
	}
	p := NewPixels(1, 1, 48, 32)
	if err := p.Set(0, im); err != nil {
		t.Fatal(err)
	}
	want, got := make([]float32, 32*32), make([]float32, 32*32)
	preprocess.ResizeAntialias(want, unit(make([]float32, len(im.Pix)), im.Pix), 1, 48, 48, 32, 32)
	if p.read(got, 0); !slices.Equal(got, want) {
		t.Error("the image kept is not the resized one")
	}
	if err := p.Set(0, preprocess.New(1, 47, 48)); err == nil {
		t.Error("an image of another size was taken")
	}
}
