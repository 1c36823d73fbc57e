package fit

import (
	"context"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/preprocess"
	"graft/preprocess/augment"
)

// faces are n random 20×20 images whose brighter half tells the class: 0 top, 1 bottom.
func faces(t testing.TB, n int) (*Pixels, []int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	p, labels := NewPixels(n, 1, 20, 20), make([]int, n)
	for i := range labels {
		labels[i] = rng.IntN(2)
		im := preprocess.New(1, 20, 20)
		for j := range im.Pix {
			im.Pix[j] = uint8(rng.IntN(150))
			if j/200 == labels[i] {
				im.Pix[j] += 100
			}
		}
		if err := p.Set(i, im); err != nil {
			t.Fatal(err)
		}
	}
	return p, labels
}

func upTo(from, to int) []int {
	var out []int
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// smallCNN has everything that could break a resumed training: batch norm, dropout.
var smallCNN = nets.CNN{Arch: nets.ArchResidual, Side: 16, Channels: 1, Outputs: 2, Stem: 4, Stages: []int{4, 6}, Blocks: 1,
	Dropout: 0.2, Standardize: true}

// usualJob trains on 50 faces in batches of 16, so that the last one is padded, and watches 30 others.
func usualJob(t testing.TB, net nets.Net, o augment.Pipeline) Job {
	t.Helper()
	p, labels := faces(t, 80)
	data, err := NewImages(p, upTo(0, 50), OneHot(labels, 2), 2, o, 3)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := p.Plain(upTo(50, 80), net.InputShape()[1], true)
	if err != nil {
		t.Fatal(err)
	}
	return Job{Net: net, Train: data, Validation: &Validation{samples, labels[50:]}, Config: Config{Epochs: 4, Batch: 16,
		Optimizer: AdamW, LearningRate: 3e-3, WeightDecay: 0.01, Schedule: Cosine, Warmup: 1, Clip: 5, Smoothing: 0.1, EMA: 0.9, Seed: 3, Threads: 2}}
}

var everything = augment.Pipeline{HFlip: 0.5, Rotate: 5, Crop: 16, Noise: 0.02, Mixup: 0.2}

func run(t testing.TB, j Job) *Result {
	t.Helper()
	r, err := Train(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Offsets in the loss are what a bias would learn to take back: training with them, from
// biases of 0, is training without them from biases that are the offsets.
func TestLogitOffsets(t *testing.T) {
	job := usualJob(t, smallCNN, augment.Pipeline{Crop: 16})
	job.Config = Config{Epochs: 2, Batch: 16, Optimizer: Adam, LearningRate: 1e-3, Schedule: Constant, Seed: 3, Threads: 1}
	offsets := []float64{-0.4, -1.1}
	const bias = "fc.bias"
	start := nets.Init(smallCNN, 3)
	start[bias] = []float32{0, 0}
	job.Start = start
	plain := run(t, job).Weights[bias]
	job.Config.LogitOffsets = offsets
	adjusted := run(t, job)
	job.Config.LogitOffsets = nil
	job.Start = maps.Clone(start)
	job.Start[bias] = []float32{-0.4, -1.1}
	shifted := run(t, job)
	for name, want := range shifted.Weights {
		for i, got := range adjusted.Weights[name] {
			w := float64(want[i])
			if name == bias {
				w -= offsets[i]
			}
			if !(math.Abs(float64(got)-w) <= 1e-4) {
				t.Fatalf("%s[%d]: %g with offsets, want %g", name, i, got, w)
			}
		}
	}
	if got := adjusted.Weights[bias]; math.Abs(float64(got[0]-plain[0])) < 1e-3 {
		t.Errorf("bias %v with offsets and %v without: they did nothing", got, plain)
	}
	job.Config.LogitOffsets = offsets[:1]
	if _, err := Train(t.Context(), job); err == nil || !strings.Contains(err.Error(), "1 logit offsets for 2 classes") {
		t.Errorf("too few offsets: %v", err)
	}
}

func TestTrainLearns(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"adamw":         func(*Config) {},
		"adam":          func(c *Config) { c.Optimizer, c.Schedule, c.EMA = Adam, Constant, 0 },
		"sgd":           func(c *Config) { c.Optimizer, c.Momentum, c.LearningRate = SGD, 0.9, 0.02 },
		"step":          func(c *Config) { c.Schedule, c.StepEpochs, c.StepFactor = Step, 3, 0.3 },
		"class weights": func(c *Config) { c.ClassWeights = []float64{1, 2} },
	} {
		t.Run(name, func(t *testing.T) {
			j := usualJob(t, smallCNN, augment.Pipeline{Crop: 16})
			j.Config.Epochs = 12
			change(&j.Config)
			r := run(t, j)
			last := r.History[11]
			if len(r.History) != 12 || r.Epoch != 12 || !(*last.ValidationAccuracy >= 0.9) || !(last.TrainLoss < r.History[0].TrainLoss) {
				t.Errorf("after %d epochs: accuracy %g, loss %g from %g; want 0.9 and less", len(r.History), *last.ValidationAccuracy, last.TrainLoss, r.History[0].TrainLoss)
			}
		})
	}
}

// errKilled is what a test kills a training with.
var errKilled = errors.New("killed")

// kill trains with a checkpoint and ends during the epoch after the given number.
func kill(t *testing.T, j Job, after int) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	j.Progress = func(done, _ int64) {
		if done > int64(after*j.Train.Len()+20) {
			cancel(errKilled)
		}
	}
	if _, err := Train(ctx, j); !errors.Is(err, context.Canceled) || context.Cause(ctx) != errKilled {
		t.Fatalf("error %v, want the killing", err)
	}
}

// TestResume wants the same bits from a training that was killed twice as from one that was not.
func TestResume(t *testing.T) {
	j := usualJob(t, smallCNN, everything)
	j.Config.KeepBest = true
	want := run(t, j)
	j = usualJob(t, smallCNN, everything)
	j.Config.KeepBest = true
	j.Checkpoint = filepath.Join(t.TempDir(), "checkpoint.safetensors")
	kill(t, j, 0)
	if _, err := os.Stat(j.Checkpoint); err == nil {
		t.Fatal("a checkpoint before the first epoch was over")
	}
	kill(t, j, 1)
	kill(t, j, 3)
	resumed := 0
	j.Resumed = func(epochs int) { resumed = epochs }
	got := run(t, j)
	if resumed != 3 {
		t.Errorf("went on after %d epochs, want 3", resumed)
	}
	for name := range want.Last {
		if !slices.Equal(got.Last[name], want.Last[name]) || !slices.Equal(got.Weights[name], want.Weights[name]) {
			t.Errorf("weight %s differs after a resumed training", name)
		}
	}
	for i, e := range want.History {
		e.Seconds = got.History[i].Seconds
		if !reflect.DeepEqual(e, got.History[i]) {
			t.Errorf("epoch %d: %+v resumed, %+v at once", i+1, got.History[i], e)
		}
	}
	if got.Epoch != want.Epoch {
		t.Errorf("kept epoch %d, want %d", got.Epoch, want.Epoch)
	}
	if again := run(t, j); !slices.Equal(again.Last["fc.weight"], want.Last["fc.weight"]) {
		t.Error("a training that was over went on")
	}
}

func TestResumeRefusesOtherSettings(t *testing.T) {
	j := usualJob(t, smallCNN, everything)
	j.Config.Epochs, j.Identity = 2, map[string]string{"dataset": "a"}
	j.Checkpoint = filepath.Join(t.TempDir(), "checkpoint.safetensors")
	run(t, j)
	for want, change := range map[string]func(*Job){
		"learning rate was 0.003 and now is 0.1":         func(j *Job) { j.Config.LearningRate = 0.1 },
		"epochs was 2 and now is 9":                      func(j *Job) { j.Config.Epochs = 9 },
		"dataset was a and now is b":                     func(j *Job) { j.Identity = map[string]string{"dataset": "b"} },
		"dataset was a and now is not set":               func(j *Job) { j.Identity = nil },
		"model option stem was 4 and now is 5":           func(j *Job) { n := smallCNN; n.Stem = 5; j.Net = n },
		"optimizer was \"adamw\" and now is \"adam\"":    func(j *Job) { j.Config.Optimizer = Adam },
		"threads was 2 and now is 1":                     func(j *Job) { j.Config.Threads = 1 },
		"class weights was null and now is [1,2]; give ": func(j *Job) { j.Config.ClassWeights = []float64{1, 2} },
	} {
		other := j
		change(&other)
		if _, err := Train(context.Background(), other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err := os.WriteFile(j.Checkpoint, []byte("no checkpoint"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), j); err == nil || !strings.Contains(err.Error(), j.Checkpoint) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// TestPadding wants the loss and the step of a batch that is not full to be those of its examples alone.
// given is data that is the same whatever the order: row r of epoch e.
// TestTenStepsOfAdam compares with PyTorch: the study's linear head.
func TestEarlyStoppingKeepsTheBest(t *testing.T) {
	j := usualJob(t, smallCNN, augment.Pipeline{Crop: 16})
	j.Config.Epochs, j.Config.Patience, j.Config.KeepBest, j.Config.EMA = 60, 3, true, 0
	j.Config.LearningRate, j.Config.Clip = 0.3, 0 // so high that the loss soon rises again
	j.Config.Schedule = Constant
	r := run(t, j)
	if n := len(r.History); n == 60 || r.Epoch != n-3 {
		t.Fatalf("%d epochs, the best being %d; want 3 after the best and less than 60", n, r.Epoch)
	}
	e, err := NewEvaluator(j.Net, 7, 1)
	if err == nil {
		err = e.Use(r.Weights)
	}
	if err != nil {
		t.Fatal(err)
	}
	logits, err := e.Logits(context.Background(), j.Validation.Examples, nil)
	if err != nil {
		t.Fatal(err)
	}
	loss, _ := Score(logits, j.Validation.Labels, 2)
	if want := *r.History[r.Epoch-1].ValidationLoss; !(math.Abs(loss-want) <= 1e-5*(1+want)) {
		t.Errorf("the weights kept have loss %g, the best epoch had %g", loss, want)
	}
}

// TestUnusedAndStatistics wants weights that are not trained to stay as they were.
func TestUnusedAndStatistics(t *testing.T) {
	vit := nets.StudyViT(2)
	vit.Side, vit.Patch = 20, 10
	j := usualJob(t, vit, augment.Pipeline{})
	j.Config.EMA = 0.5
	before := nets.Init(vit, j.Config.Seed)
	after := run(t, j).Weights
	for name, v := range before {
		if same := slices.Equal(v, after[name]); same != (name == "classification_token") {
			t.Errorf("weight %s unchanged: %v", name, same)
		}
	}
	x := Features{X: make([]float32, 40*3), Dim: 3}
	for i := range x.X {
		x.X[i] = float32(i%7) + float32(i%3)
	}
	head := nets.Head{Features: 3, Outputs: 2, Hidden: 4, Standardize: true}
	start := nets.Init(head, 1)
	start[nets.FeatureMean], start[nets.FeatureStd] = []float32{1, 2, 3}, []float32{4, 5, 6}
	data, err := NewFeatures(x, upTo(0, 40), OneHot(slices.Repeat([]int{0, 1}, 20), 2), 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, Job{Net: head, Train: data, Start: maps.Clone(start), Config: Config{Epochs: 1, Batch: 8, Optimizer: Adam, LearningRate: 0.01, Schedule: Constant, EMA: 0.9}})
	if !slices.Equal(got.Weights[nets.FeatureMean], start[nets.FeatureMean]) || slices.Equal(got.Weights["head.weight"], start["head.weight"]) {
		t.Error("statistics must stay and weights must move")
	}
}

func TestNotFiniteIsNamed(t *testing.T) {
	x := Features{X: []float32{1, 2, float32(math.NaN()), 4}, Dim: 1}
	data, err := NewFeatures(x, upTo(0, 4), OneHot([]int{0, 1, 0, 1}, 2), 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Train(context.Background(), Job{Net: nets.Head{Features: 1, Outputs: 2}, Train: data,
		Config: Config{Epochs: 1, Batch: 4, Optimizer: Adam, LearningRate: 0.01, Schedule: Constant}})
	for _, want := range []string{"epoch 1", "step 1 of 1", "NaN", "element"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestRates(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   []float64 // of 8 steps, 2 an epoch
	}{
		{Config{Schedule: Constant}, []float64{1, 1, 1, 1, 1, 1, 1, 1}},
		{Config{Schedule: Constant, Warmup: 2}, []float64{0.25, 0.5, 0.75, 1, 1, 1, 1, 1}},
		{Config{Schedule: Step, StepEpochs: 2, StepFactor: 0.1}, []float64{1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1}},
		{Config{Schedule: Cosine, Warmup: 2}, []float64{0.25, 0.5, 0.75, 1, 0.8535534, 0.5, 0.1464466, 0}},
	} {
		c.config.LearningRate, c.config.Epochs = 1, 4
		for i, want := range c.want {
			if got := c.config.rate(i, 2); !(math.Abs(got-want) <= 1e-6) {
				t.Errorf("%s, warm-up %g, step %d: %g, want %g", c.config.Schedule, c.config.Warmup, i, got, want)
			}
		}
	}
}

func TestChecks(t *testing.T) {
	for want, change := range map[string]func(*Job){
		"epochs 0":              func(j *Job) { j.Config.Epochs = 0 },
		"batch 0":               func(j *Job) { j.Config.Batch = 0 },
		`optimizer "lion"`:      func(j *Job) { j.Config.Optimizer = "lion" },
		`schedule ""`:           func(j *Job) { j.Config.Schedule = "" },
		"learning rate NaN":     func(j *Job) { j.Config.LearningRate = math.NaN() },
		"label smoothing 1":     func(j *Job) { j.Config.Smoothing = 1 },
		"step factor 0":         func(j *Job) { j.Config.Schedule, j.Config.StepEpochs = Step, 1 },
		"weight of class 1":     func(j *Job) { j.Config.ClassWeights = []float64{1, -1} },
		"3 class weights for 2": func(j *Job) { j.Config.ClassWeights = []float64{1, 1, 1} },
		"need validation":       func(j *Job) { j.Validation, j.Config.Patience = nil, 2 },
		"shape [1 16 16]":       func(j *Job) { j.Net = nets.StudyCNN(2) },
		"30 examples and 29":    func(j *Job) { j.Validation.Labels = j.Validation.Labels[1:] },
		"more than 16777216":    func(j *Job) { j.Config.Epochs = maxEpochs; j.Config.Batch = 1 },
	} {
		j := usualJob(t, smallCNN, everything)
		change(&j)
		if _, err := Train(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestMirroredFeatures wants each row of an epoch to be one of the two, both to occur, and the draw to depend on the epoch.
// TestViewsAreAveraged compares the mean over an image and its mirror image with both alone.
// TestScore checks against hand-made numbers, with a logit whose probability is 0 in float32.
// TestPixelsAreResizedOnce compares with preprocess.

func TestConfigErrorsAreReadable(t *testing.T) {
	usual := Config{Epochs: 1, Batch: 1, Optimizer: Adam, LearningRate: 1e-3, Schedule: Constant}
	if err := usual.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"epochs 0: want 1 to 1048576":       func(c *Config) { c.Epochs = 0 },
		"epochs 3000000: want 1 to 1048576": func(c *Config) { c.Epochs = 3e6 },
		"warm-up NaN: want 0 to 1048576":    func(c *Config) { c.Warmup = math.NaN() },
		"weight decay -0.5: want 0 to":      func(c *Config) { c.WeightDecay = -0.5 },
		"clip -1: want 0 or more":           func(c *Config) { c.Clip = -1 },
	} {
		c := usual
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
