package fit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/finetune/nets"
	"graft/onnx"
	"graft/pretrained/checkpoint"
)

// newTorchNorms is the convolutional network that scripts/fixtures_tune.py trained, all of it behind the cut.
func newTorchNorms(t *testing.T) torchTail {
	t.Helper()
	f, err := checkpoint.Open("testdata/norm.safetensors", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	m := &onnx.Model{Opset: 17}
	b := onnx.NewBuilder(m)
	s := torchTail{t: t, file: f}
	weight := func(name string) string {
		info, _ := f.Info("before." + name)
		var dims []int64
		for _, d := range info.Shape {
			dims = append(dims, int64(d))
		}
		return b.Float32s(name, s.read("before."+name), dims...)
	}
	x := b.Input("x", onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 4}, onnx.Dim{Value: 5}, onnx.Dim{Value: 5})
	for layer, attrs := range [][]onnx.Attr{nil, {{Name: "momentum", Value: float32(0.7)}}} { // the old values' share, PyTorch's 0.1 where it is not said
		k := string(rune('1' + layer))
		x = b.Op("Conv", "y"+k, []string{x, weight("conv" + k + ".weight")}, onnx.Attr{Name: "pads", Value: []int64{1, 1, 1, 1}},
			onnx.Attr{Name: "strides", Value: []int64{int64(layer + 1), int64(layer + 1)}})
		norm := "norm" + k
		x = b.Op("BatchNormalization", "n"+k, []string{x, weight(norm + ".weight"), weight(norm + ".bias"), weight(norm + ".running_mean"), weight(norm + ".running_var")}, attrs...)
		x = b.Op("Relu", "r"+k, []string{x})
	}
	x = b.Op("Flatten", "features", []string{b.Op("GlobalAveragePool", "mean", []string{x})})
	b.Output(x, x, onnx.Float32, onnx.Dim{Name: "N"}, onnx.Dim{Value: 6})
	s.net = nets.Tail{Cut: "x", Shape: []int{4, 5, 5}, Backbone: m, Head: nets.Head{Features: 6, Outputs: 5}, Taps: []nets.TailTap{{Name: "features", Output: "features", Dim: 6}}}
	for _, w := range m.Initializers {
		if !strings.Contains(w.Name, "running") {
			info, _ := f.Info("before." + w.Name)
			s.net.Learned = append(s.net.Learned, nets.Learned{Name: w.Name, Shape: info.Shape})
		}
	}
	return s
}

// trainNorms makes five steps; checkpoint may be empty.
func (s torchTail) trainNorms(checkpoint string) *Result {
	s.t.Helper()
	f, labels := Features{X: s.read("x"), Dim: 100}, s.labels()
	start, err := s.net.Start(map[string][]float32{"head.weight": s.read("before.head.weight"), "head.bias": s.read("before.head.bias")}, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := NewFeatures(f, []int{0, 1, 2, 3, 4, 5}, OneHot(labels, 5), 5, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := Train(s.t.Context(), Job{Net: s.net, Start: start, Train: data, Checkpoint: checkpoint, Config: Config{Epochs: 5, Batch: 6, Optimizer: AdamW, LearningRate: 1e-3,
		WeightDecay: 0.05, Schedule: Constant, Seed: 1, Threads: 1}})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// TestNormStatistics compares five steps through batch norms, whose running statistics move, with PyTorch's: losses,
// weights, the statistics, and what inference makes of them.
func TestNormStatistics(t *testing.T) {
	s := newTorchNorms(t)
	s.net.Running = []nets.Running{{Mean: "norm1.running_mean", Variance: "norm1.running_var", Channels: 8}, {Mean: "norm2.running_mean", Variance: "norm2.running_var", Channels: 6}}
	if err := s.net.Check(); err != nil {
		t.Fatal(err)
	}
	r := s.trainNorms("")
	var losses []float32
	for _, e := range r.History {
		losses = append(losses, float32(e.TrainLoss))
	}
	s.near("losses", losses, s.read("losses"), 1e-5)
	for _, w := range s.net.Weights() {
		s.near(w.Name, r.Weights[w.Name], s.read("after."+strings.TrimPrefix(w.Name, nets.HeadPrefix)), 1e-5)
	}
	e, err := NewEvaluator(s.net, 6, 1)
	if err == nil {
		err = e.Use(r.Weights)
	}
	if err != nil {
		t.Fatal(err)
	}
	logits, err := e.Logits(t.Context(), Features{X: s.read("x"), Dim: 100}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.near("logits", logits, s.read("logits"), 1e-5)
}

// TestNormStatisticsStandStill: without being told so, statistics are as they were, and normalise in training too.
func TestNormStatisticsStandStill(t *testing.T) {
	s := newTorchNorms(t)
	r := s.trainNorms("")
	for name := range r.Weights {
		if strings.Contains(name, "running") {
			t.Errorf("%s is kept", name)
		}
	}
	e, err := NewEvaluator(s.net, 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	start, err := s.net.Start(map[string][]float32{"head.weight": s.read("before.head.weight"), "head.bias": s.read("before.head.bias")}, 1)
	if err == nil {
		err = e.Use(start)
	}
	if err != nil {
		t.Fatal(err)
	}
	logits, err := e.Logits(t.Context(), Features{X: s.read("x"), Dim: 100}, nil)
	if err != nil {
		t.Fatal(err)
	}
	loss, _ := Score(logits, s.labels(), 5)
	if first := r.History[0].TrainLoss; !(first-loss < 1e-6 && loss-first < 1e-6) || slices.Equal(s.read("losses")[:1], []float32{float32(loss)}) {
		t.Errorf("the first step's loss is %v, want %v, that of inference", first, loss)
	}
}

// TestCheckpointHoldsWhatLearns: weights that stand still lie in the network's file, and not in the checkpoint too; one of
// before, which held them, is gone on from.
func TestCheckpointHoldsWhatLearns(t *testing.T) {
	s := newTorchNorms(t)
	s.net.Learned = slices.DeleteFunc(s.net.Learned, func(w nets.Learned) bool { return strings.HasPrefix(w.Name, "conv") })
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	want := s.trainNorms(path)
	f, err := checkpoint.Open(path, checkpoint.Whole)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range f.Names() {
		if strings.HasPrefix(name, "conv") || strings.Contains(name, "running") {
			t.Errorf("the checkpoint holds %s, which does not learn", name)
		}
	}
	write := func(more string) error {
		list := []checkpoint.Tensor{{Name: more, Shape: []int{8, 4, 3, 3}, Data: s.read("before.conv1.weight")}}
		for _, name := range f.Names() {
			info, _ := f.Info(name)
			v, err := f.Float32(name)
			if err != nil {
				return err
			}
			list = append(list, checkpoint.Tensor{Name: name, Shape: info.Shape, Data: v})
		}
		return checkpoint.WriteSafetensors(path, list, f.Metadata())
	}
	if err := write("conv1.weight"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := s.trainNorms(path)
	for name, v := range want.Weights {
		if !slices.Equal(got.Weights[name], v) {
			t.Errorf("%s differs after the checkpoint of before", name)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) || len(got.History) != 5 {
		t.Errorf("%d epochs, %v: want all from the checkpoint", len(got.History), err)
	}
}
