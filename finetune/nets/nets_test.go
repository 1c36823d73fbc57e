package nets

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"graft/graph"
)

// The study's CNN by hand: 6·28²·25, 16·10²·150, 400·120, 120·84, 84·7.
func TestStudyCNNTable(t *testing.T) {
	want := []Layer{
		{"conv1", []string{"Conv", "Relu"}, []int{6, 28, 28}, 156, 117600},
		{"pool1", []string{"MaxPool"}, []int{6, 14, 14}, 0, 0},
		{"conv2", []string{"Conv", "Relu"}, []int{16, 10, 10}, 2416, 240000},
		{"pool2", []string{"MaxPool"}, []int{16, 5, 5}, 0, 0},
		{"fc1", []string{"MatMul", "Add", "Relu"}, []int{120}, 48120, 48000},
		{"fc2", []string{"MatMul", "Add", "Relu"}, []int{84}, 10164, 10080},
		{"fc3", []string{"MatMul", "Add"}, []int{7}, 595, 588},
	}
	got, err := Layers(StudyCNN(7))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if parameters, macs := Total(got); parameters != 61451 || macs != 416268 {
		t.Errorf("%d parameters and %d MACs, want 61451 and 416268", parameters, macs)
	}
}

// The study's ViT by hand: embedding 4·256·32; per application three projections 4·32·32 and twice 4·4·32; logits 128·7.
// Its 12,384 values less the unused class token's 32 are trained.
func TestStudyViTTable(t *testing.T) {
	layers, err := Layers(StudyViT(7))
	if err != nil {
		t.Fatal(err)
	}
	const block = 3*4*32*32 + 2*4*4*32
	if parameters, macs := Total(layers); parameters != 12352 || macs != 4*256*32+2*block+128*7 {
		t.Errorf("%d parameters and %d MACs, want 12352 and %d", parameters, macs, 4*256*32+2*block+128*7)
	}
	if p := Parameters(StudyViT(7)); p != 12352 {
		t.Errorf("Parameters: %d, want 12352", p)
	}
	for _, l := range layers {
		if l.Name == "block1.heads" && l.Parameters != 0 {
			t.Errorf("the tied block's parameters are counted twice: %v", l)
		}
	}
}

// TestTableAgrees compares two ways of counting.
func TestTableAgrees(t *testing.T) {
	for name, net := range everyNet() {
		layers, err := Layers(net)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, _ := Total(layers); got != Parameters(net) {
			t.Errorf("%s: the table has %d parameters, the list of weights %d", name, got, Parameters(net))
		}
		if last := layers[len(layers)-1].Output; !slices.Equal(last, []int{net.Classes()}) {
			t.Errorf("%s: the last layer gives %v, want [%d]", name, last, net.Classes())
		}
	}
}

func everyNet() map[string]Net {
	all := map[string]Net{"strong_cnn": StrongCNN(7), "strong_vit": StrongViT(7), "linear": Head{Features: 12, Outputs: 4},
		"dropout": Head{Features: 12, Outputs: 4, Hidden: 5, DropoutIn: 0.25, Dropout: 0.5},
		"members": Head{Features: 12, Outputs: 4, Hidden: 5, Members: 3}}
	for name, net := range fixtures {
		all[name] = net
	}
	return all
}

// TestEveryParameterLearns wants a gradient that is not zero for every trained weight of the fixtures, and a gradient at all
// for those of every model, with dropout at work.
func TestEveryParameterLearns(t *testing.T) {
	for name := range fixtures {
		s := newTraining(t, name, Mode{Train: true})
		p := s.compile(s.gradients, nil)
		s.setTargets(p)
		run(t, p)
		if len(s.parameters) == 0 {
			t.Fatalf("%s: no parameters", name)
		}
		for i, d := range s.gradients {
			if !slices.ContainsFunc(p.Value(d), func(v float32) bool { return v != 0 && !math.IsNaN(float64(v)) }) {
				t.Errorf("%s: %s has no gradient", name, s.parameters[i].Name())
			}
		}
	}
	for name, net := range everyNet() {
		g := graph.New()
		x, step := g.Input("x", append([]int{4}, net.InputShape()...)...), g.Input("step")
		w, err := Declare(g, net, Init(net, 3))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := graph.Gradient(g.Sum(net.Forward(g, x, w, Mode{Train: true, Step: step})), g.Parameters(false)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptionsRoundTrip(t *testing.T) {
	for name, net := range everyNet() {
		data, err := json.Marshal(net)
		if err != nil {
			t.Fatal(err)
		}
		again, err := New(net.Kind(), data)
		if err != nil || !reflect.DeepEqual(again, net) {
			t.Errorf("%s: %s became %#v, %v", name, data, again, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct{ kind, options, want string }{
		{"mlp", `{}`, "want one of cnn, vit, head"},
		{"cnn", `{"arch":"study","side":32,"channels":1,"outputs":7,"kernel":3}`, `unknown field "kernel"`},
		{"cnn", `{"arch":"study","side":32,"channels":1,"outputs":7}{}`, "data after the end"},
		{"cnn", `{"arch":"lenet","side":32,"channels":1,"outputs":7}`, `arch is "lenet", want one of study, residual`},
		{"cnn", `{"arch":"study","side":8,"channels":1,"outputs":7}`, "side is 8, want 16 to 512"},
		{"cnn", `{"arch":"study","side":32,"channels":1,"outputs":7,"stem":3}`, "stem is 3, want 0"},
		{"cnn", `{"arch":"residual","side":1,"channels":1,"outputs":7,"stem":3,"stages":[4],"blocks":1}`, "do not fit each other"},
		{"cnn", `{"arch":"residual","side":32,"channels":1,"outputs":7,"stem":3,"stages":[4,2],"blocks":1,"squeeze":4}`, "stages is 2, want 4"},
		{"cnn", `{"arch":"residual","side":32,"channels":1,"outputs":7,"stem":4096,"stages":[4096,4096,4096],"blocks":256}`, "parameters, want at most"},
		{"vit", `{"side":32,"channels":1,"outputs":7,"patch":5,"width":32,"depth":2,"heads":4,"norm":"pre","pool":"mean","init":"sane"}`, "do not divide into patches of 5"},
		{"vit", `{"side":32,"channels":1,"outputs":7,"patch":16,"width":30,"depth":2,"heads":4,"norm":"pre","pool":"mean","init":"sane"}`, "30 does not divide into 4 heads"},
		{"vit", `{"side":32,"channels":1,"outputs":7,"patch":16,"width":32,"depth":2,"heads":4,"norm":"","pool":"mean","init":"sane"}`, `norm is ""`},
		{"head", `{"features":3,"outputs":1}`, "outputs is 1, want 2"},
		{"head", `{"features":3,"outputs":2,"dropout":1}`, "dropout is 1, want at least 0 and below 1"},
		{"head", `{"features":3,"outputs":2,"members":2}`, "members without a hidden layer"},
	} {
		if _, err := New(c.kind, []byte(c.options)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want one with %q", c.kind, c.options, err, c.want)
		}
	}
}

func TestInit(t *testing.T) {
	a, again, other := Init(StudyCNN(7), 1), Init(StudyCNN(7), 1), Init(StudyCNN(7), 2)
	if !reflect.DeepEqual(a, again) {
		t.Error("the same seed gives other weights")
	}
	if reflect.DeepEqual(a["fc1.weight"], other["fc1.weight"]) {
		t.Error("another seed gives the same weights")
	}
	bound := float32(1 / math.Sqrt(400)) // PyTorch's Linear with 400 inputs
	if hi, lo := slices.Max(a["fc1.weight"]), slices.Min(a["fc1.weight"]); !(hi <= bound && hi > 0.99*bound && lo >= -bound && lo < -0.99*bound) {
		t.Errorf("fc1.weight lies in %v to %v, want ±%v", lo, hi, bound)
	}
	study, sane := StudyViT(7), StudyViT(7)
	sane.Init = InitSane
	for _, c := range []struct {
		net  Net
		name string
		want float64
	}{
		{study, "mlp_head", math.Sqrt(128)}, {sane, "mlp_head", 1 / math.Sqrt(128)},
		{study, "C", 1. / 16}, {sane, "C", 1. / 16}, {study, "pe", 1}, {sane, "pe", 0.02},
		{study, "transformer_block.multi_head.multiheads.3.V", 1 / 2.82},
		{sane, "transformer_block.multi_head.multiheads.3.V", 1 / math.Sqrt(32)},
		{StrongCNN(7), "stages.2.0.conv2.weight", math.Sqrt(2. / (9 * 128))},
	} {
		if got := deviation(Init(c.net, 5)[c.name]); !(math.Abs(got/c.want-1) < 0.2) {
			t.Errorf("%s: deviation %v, want about %v", c.name, got, c.want)
		}
	}
}

func deviation(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum / float64(len(v)))
}

func TestWriteTable(t *testing.T) {
	layers, err := Layers(Head{Features: 3, Outputs: 2})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteTable(&b, layers); err != nil {
		t.Fatal(err)
	}
	want := "layer  operations  output  parameters  MACs\n" +
		"head   MatMul Add  2       8           6\n" +
		"total                      8           6\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestBuildingNeverPanics builds losses of inputs, weights and targets that do not fit: the graph keeps the error.
func TestBuildingNeverPanics(t *testing.T) {
	shapes := [][]int{{}, {0}, {5}, {4, 3}, {1, 1, 40, 7}, {2, 3, 44, 44}, {1, 2, 3, 4, 5}}
	for name, net := range everyNet() {
		for _, shape := range shapes {
			for _, targets := range shapes {
				g := graph.New()
				w, _ := Declare(g, net, nil)
				if len(shape) == 5 {
					w = func(string) *graph.Node { return nil }
				}
				logits := net.Forward(g, g.Input("x", shape...), w, Mode{Train: len(targets)%2 == 0})
				if Loss(g, logits, g.Input("targets", targets...), graph.CrossEntropyOptions{}); g.Err() == nil {
					t.Errorf("%s of %v against %v was built", name, shape, targets)
				}
			}
		}
	}
	g := graph.New()
	Loss(g, g.Scalar(1), g.Scalar(1), graph.CrossEntropyOptions{})
	Loss(graph.New(), nil, nil, graph.CrossEntropyOptions{})
}
