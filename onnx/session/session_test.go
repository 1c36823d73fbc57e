package session

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

func TestParseProvider(t *testing.T) {
	for word, want := range map[string]Provider{"": Auto, "auto": Auto, "CUDA": CUDA, "cpu": CPU, "openvino": OpenVINO} {
		if got, err := ParseProvider(word); err != nil || got != want {
			t.Errorf("ParseProvider(%q) = %q, %v; want %q", word, got, err, want)
		}
	}
	if _, err := ParseProvider("rocm"); err == nil || !strings.Contains(err.Error(), "tensorrt") {
		t.Errorf("rocm: got %v, want an error that lists the providers", err)
	}
}

// TestCandidates: auto tries accelerators with all of the model, then the CPU and go,
// which have no device; a named provider is alone.
func TestCandidates(t *testing.T) {
	var order []Provider
	auto := Options{Provider: Auto, Device: 2, AllowFallback: true, Threads: 3}.Candidates()
	for i, c := range auto {
		order = append(order, c.Provider)
		if c.AllowFallback || c.Threads != 3 || c.Device != 2 && i < len(auto)-2 {
			t.Errorf("%+v", c)
		}
	}
	if !slices.Equal(order, []Provider{CUDA, DirectML, CPU, Go}) || auto[2].Device+auto[3].Device != 0 {
		t.Errorf("auto tries %v, the last on device %d", order, auto[2].Device)
	}
	named := Options{Provider: TensorRT, Device: 2, AllowFallback: true}
	if got := named.Candidates(); len(got) != 1 || got[0].Provider != TensorRT || got[0].Device != 2 || !got[0].AllowFallback {
		t.Errorf("a named provider: %+v", got)
	}
}

func TestCheckRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		`unknown provider "gpu"`: {Provider: "gpu"},
		"threads":                {Threads: -1},
		"device":                 {Device: -1},
		"not auto":               {ProviderOptions: map[string]string{"a": "b"}},
		"not cpu":                {Provider: "CPU", ProviderOptions: map[string]string{"a": "b"}},
	} {
		if _, err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	if o, err := (Options{Provider: "Cuda"}).Check(); err != nil || o.Provider != CUDA {
		t.Errorf("got %q, %v; want the provider's own word", o.Provider, err)
	}
}

// values are a model's [N,3] of each type that Run takes, named by it.
func values() []onnx.Value {
	var out []onnx.Value
	for _, d := range []onnx.DType{onnx.Uint8, onnx.Int8, onnx.Int32, onnx.Int64, onnx.Float32, onnx.Float64, onnx.Bool, onnx.Float16} {
		out = append(out, onnx.Value{Name: d.String(), Type: d, Dims: []onnx.Dim{{Name: "N"}, {Value: 3}}})
	}
	return out
}

func TestTensorsAreOrdered(t *testing.T) {
	all := values()
	var given []Tensor
	for i, data := range []any{make([]uint8, 6), make([]int8, 6), make([]int32, 6), make([]int64, 6), make([]float32, 6), make([]float64, 6), make([]bool, 6), make([]uint16, 6)} {
		given = append(given, Tensor{Name: all[i].Name, Shape: []int64{2, 3}, Data: data})
	}
	slices.Reverse(given)
	ordered, err := Inputs(all, given)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range ordered {
		if v.Name != all[i].Name || v != &given[len(given)-1-i] {
			t.Errorf("place %d holds %s, want %s", i, v.Name, all[i].Name)
		}
	}
	if ordered, err = Outputs(all, given[:1]); err != nil || ordered[7] == nil || ordered[0] != nil {
		t.Errorf("one output: %v, %v", ordered, err)
	}
	if _, err := Inputs(all, given[:7]); err == nil || !strings.Contains(err.Error(), `input "uint8" is missing`) {
		t.Errorf("without uint8: %v", err)
	}
}

func TestTensorsAreChecked(t *testing.T) {
	for want, v := range map[string]Tensor{
		`no output "image"`:           {Name: "image"},
		"want uint8 uint8 [N,3], got": {Name: "uint8", Shape: []int64{1, 3}, Data: make([]float32, 3)},
		"data is a int":               {Name: "uint8", Shape: []int64{1, 3}, Data: 3},
		"data is a []string":          {Name: "uint8", Shape: []int64{1, 3}, Data: []string{"a"}},
		"wants 6 elements, got 3":     {Name: "uint8", Shape: []int64{2, 3}, Data: make([]uint8, 3)},
		"got shape [3 1]":             {Name: "uint8", Shape: []int64{3, 1}, Data: make([]uint8, 3)},
		"got shape []":                {Name: "uint8", Data: make([]uint8, 1)},
		"no elements":                 {Name: "uint8", Shape: []int64{0, 3}, Data: []uint8{}},
		"negative":                    {Name: "uint8", Shape: []int64{-1, -3}, Data: make([]uint8, 3)},
	} {
		if _, err := Outputs(values(), []Tensor{v}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", v, err, want)
		}
	}
	twice := Tensor{Name: "uint8", Shape: []int64{1, 3}, Data: make([]uint8, 3)}
	if _, err := Inputs(values(), []Tensor{twice, twice}); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("twice: %v", err)
	}
}

func TestSelectOutputs(t *testing.T) {
	all := values()
	if got, err := SelectOutputs(all, nil); err != nil || len(got) != len(all) {
		t.Errorf("nil: %v, %v", got, err)
	}
	if got, err := SelectOutputs(all, []string{"bool", "int8"}); err != nil || !slices.Equal(Names(got), []string{"bool", "int8"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := SelectOutputs(all, []string{"logits"}); err == nil || !strings.Contains(err.Error(), `no output "logits"`) {
		t.Errorf("got %v", err)
	}
}
