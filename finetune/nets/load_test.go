package nets

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"graft/pretrained/checkpoint"
)

// load writes tensors to a file and reads them as the weights of net.
func load(t *testing.T, net Net, tensors []checkpoint.Tensor) (map[string][]float32, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := checkpoint.WriteSafetensors(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Load(f, net)
}

func TestLoadRoundTrip(t *testing.T) {
	for name, net := range everyNet() {
		values := Init(net, 7)
		tensors, err := Tensors(net, values)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := load(t, net, tensors); err != nil || !reflect.DeepEqual(got, values) {
			t.Errorf("%s: other weights than written, %v", name, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	net := StudyViT(7)
	whole := func() []checkpoint.Tensor {
		tensors, err := Tensors(net, Init(net, 7))
		if err != nil {
			t.Fatal(err)
		}
		return tensors
	}
	for _, c := range []struct {
		name   string
		change func([]checkpoint.Tensor) []checkpoint.Tensor
		want   []string
	}{
		{"missing", func(l []checkpoint.Tensor) []checkpoint.Tensor { return l[1:] }, []string{`tensor "C" [256 32] is missing`}},
		{"unexpected", func(l []checkpoint.Tensor) []checkpoint.Tensor {
			return append(l, checkpoint.Tensor{Name: "fc.bias", Shape: []int{1}, Data: []float32{1}})
		}, []string{`unexpected tensor "fc.bias"`}},
		{"misshapen", func(l []checkpoint.Tensor) []checkpoint.Tensor { l[0].Shape = []int{32, 256}; return l },
			[]string{`tensor "C": shape [32 256], want [256 32]`}},
		{"renamed", func(l []checkpoint.Tensor) []checkpoint.Tensor { l[1].Name = "position"; return l },
			[]string{`tensor "pe" [1 4 32] is missing`, `unexpected tensor "position"`}},
		{"not finite", func(l []checkpoint.Tensor) []checkpoint.Tensor { l[1].Data[5] = float32(math.NaN()); return l },
			[]string{`tensor "pe": element 5 is NaN`}},
	} {
		_, err := load(t, net, c.change(whole()))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one with %q", c.name, err, want)
			}
		}
	}
}

func TestTensorsAndDeclareRefuse(t *testing.T) {
	net := Head{Features: 3, Outputs: 2}
	short, extra, missing := Init(net, 1), Init(net, 1), Init(net, 1)
	short["head.bias"], extra["head.scale"] = short["head.bias"][:1], []float32{1}
	delete(missing, "head.bias")
	for want, values := range map[string]map[string][]float32{
		`weight "head.bias": 1 values, want 2`: short, "some belong to no weight": extra, `weight "head.bias": 0 values`: missing} {
		if _, err := Tensors(net, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
