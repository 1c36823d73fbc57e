package nets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"graft/graph"
	"graft/internal/idle"
)

// Net is a model: options from which its weights and its forward pass follow.
type Net interface {
	// Kind is the word for the model on the command line and in config.json: cnn, vit or head.
	Kind() string
	// Check tells what is wrong with the options. The other methods may be called when it returns nil.
	Check() error
	// InputShape is one example's shape: [C,H,W] of pixels in 0…1, or [D] of features.
	InputShape() []int
	// Classes is the number of logits.
	Classes() int
	// Weights lists all weights in the order of the forward pass.
	Weights() []Weight
	// Forward builds the logits [N,Classes] of x [N,InputShape...] out of the weights that w gives.
	Forward(g *graph.Graph, x *graph.Node, w Lookup, m Mode) *graph.Node
}

// The kinds of models.
const (
	KindCNN  = "cnn"
	KindViT  = "vit"
	KindHead = "head"
)

// Role says how a weight comes by its value.
type Role uint8

const (
	// Trained weights are learned by gradient descent.
	Trained Role = iota
	// Statistic weights are computed from data: batch normalisation's running means and variances, which the graph
	// updates itself in training, and the features' means and deviations of a [Head].
	Statistic
	// Unused weights take no part in the forward pass; they are kept so that checkpoints are PyTorch's both ways.
	Unused
)

// Weight is a named tensor of a model.
type Weight struct {
	Name  string
	Shape []int
	Role  Role
	Rate  float64 // its factor of the learning rate; 0 stands for 1
	draw  func(r *rand.Rand, v []float32)
}

// Size is the number of elements.
func (w Weight) Size() int { return graph.Shape(w.Shape).Size() }

// Lookup finds the node of a weight by name, nil if there is none.
type Lookup func(name string) *graph.Node

// Mode says what a forward pass is for. The zero value is inference.
type Mode struct {
	// Train normalises batches by their own statistics, has the running ones updated, and drops out.
	Train bool
	// Step is a scalar that the caller raises from step to step: dropout's masks follow from it. Needed for training a
	// model with dropout.
	Step *graph.Node
	// Seed tells apart the masks of different runs.
	Seed uint64
}

// New makes the model of a kind from its options in JSON, as encoding/json writes them. An unknown option is an error.
func New(kind string, options []byte) (Net, error) {
	net, err := decode(kind, options)
	if err != nil {
		return nil, fmt.Errorf("options of a %s: %w", kind, err)
	}
	if err := net.Check(); err != nil {
		return nil, err
	}
	return net, nil
}

func decode(kind string, options []byte) (Net, error) {
	d := json.NewDecoder(strings.NewReader(string(options)))
	d.DisallowUnknownFields()
	net, err := decodeKind(kind, d)
	if err == nil && d.Decode(&struct{}{}) != io.EOF {
		err = errors.New("data after the end")
	}
	return net, err
}

func decodeKind(kind string, d *json.Decoder) (Net, error) {
	switch kind {
	case KindCNN:
		var c CNN
		err := d.Decode(&c)
		return c, err
	case KindViT:
		var v ViT
		err := d.Decode(&v)
		return v, err
	case KindHead:
		var h Head
		err := d.Decode(&h)
		return h, err
	case KindBackbone:
		var t Tail
		err := d.Decode(&t)
		return t, err
	}
	return nil, fmt.Errorf("unknown kind of model, want one of %s, %s, %s, %s", KindCNN, KindViT, KindHead, KindBackbone)
}

// ForClasses is a cnn or vit of the same options for a number of classes, checked.
func ForClasses(n Net, classes int) (Net, error) {
	switch v := n.(type) {
	case CNN:
		v.Outputs = classes
		n = v
	case ViT:
		v.Outputs = classes
		n = v
	default:
		return nil, fmt.Errorf("a network of kind %v, want %s or %s", n, KindCNN, KindViT)
	}
	return n, n.Check()
}

// Parameters is the number of trained values. The study's counts are these.
func Parameters(n Net) int {
	sum := 0
	for _, w := range n.Weights() {
		if w.Role == Trained {
			sum += w.Size()
		}
	}
	return sum
}

// Limits of options, so that a config.json cannot claim a model that no memory holds.
const (
	maxSide    = 4096    // pixels a side, channels, widths
	maxRepeat  = 256     // blocks, stages, heads
	maxClasses = 1 << 20 // and features of a head
	maxWeights = 1 << 28 // trained values: 1 GiB
)

// span is an option that has to lie between two numbers.
type span struct {
	name      string
	value     int
	low, high int
}

func checkSpans(kind string, list ...span) error {
	for _, s := range list {
		switch {
		case s.value != 0 && s.high == 0:
			return idle.Errorf(s.name, "%s: option %s is %d, want 0: this network has none", kind, s.name, s.value)
		case s.value < s.low || s.value > s.high:
			return fmt.Errorf("%s: option %s is %d, want %d to %d", kind, s.name, s.value, s.low, s.high)
		}
	}
	return nil
}

func checkDropout(kind, name string, p float64) error {
	if !(p >= 0 && p < 1) {
		return fmt.Errorf("%s: option %s is %v, want at least 0 and below 1", kind, name, p)
	}
	return nil
}

func checkWord(kind, name, word string, known ...string) error {
	if !slices.Contains(known, word) {
		return fmt.Errorf("%s: option %s is %q, want one of %s", kind, name, word, strings.Join(known, ", "))
	}
	return nil
}

// checkBuilds bounds the model as a whole (the spans bound each of its weights, so that the sum does not overflow) and
// builds the forward pass, which finds sizes that do not fit each other.
func checkBuilds(n Net) error {
	if p := Parameters(n); p > maxWeights {
		return fmt.Errorf("%s: the options make %d parameters, want at most %d", n.Kind(), p, maxWeights)
	}
	if _, err := inference(n); err != nil {
		return fmt.Errorf("%s: the options do not fit each other: %w", n.Kind(), err)
	}
	return nil
}

// inference builds the forward pass of one example, without values.
func inference(n Net) (*graph.Graph, error) {
	g := graph.New()
	x := g.Input("x", append([]int{1}, n.InputShape()...)...)
	w, err := Declare(g, n, nil)
	if err != nil {
		return nil, err
	}
	logits := n.Forward(g, x, w, Mode{})
	if err := g.Err(); err != nil {
		return nil, err
	}
	if want := (graph.Shape{1, n.Classes()}); !logits.Shape().Equal(want) {
		return nil, fmt.Errorf("logits: wanted shape %v, got %v", want, logits.Shape())
	}
	return g, nil
}
