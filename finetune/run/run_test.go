package run

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"graft/finetune/internal/runtest"
	"graft/finetune/nets"
	"graft/pretrained/checkpoint"
)

// The tensors of a linear head.
const (
	tensorWeight = "head.weight"
	tensorBias   = "head.bias"
)

func weightsConfig() Config {
	return Config{Format: runFormat, Kind: nets.KindHead, Classes: []string{"a", "b"},
		Net:      nets.Head{Features: 3, Outputs: 2, Standardize: true},
		Head:     HeadRecord{Taps: []string{"cls"}, Dim: 3, Standardize: true},
		Backbone: BackboneRecord{Dims: map[string]int{"cls": 3}}}
}

func weightsTensors() map[string]checkpoint.Tensor {
	list := map[string]checkpoint.Tensor{}
	for _, t := range []checkpoint.Tensor{
		{Name: tensorWeight, Shape: []int{2, 3}, Data: []float32{1, -2, 3, -4, 5, -6}},
		{Name: tensorBias, Shape: []int{2}, Data: []float32{0.5, -0.5}},
		{Name: nets.FeatureMean, Shape: []int{3}, Data: []float32{7, 8, 9}},
		{Name: nets.FeatureStd, Shape: []int{3}, Data: []float32{1, 2, 3}},
	} {
		list[t.Name] = t
	}
	return list
}

func TestWeightsRoundTrip(t *testing.T) {
	for _, standardize := range []bool{true, false} {
		net := nets.Head{Features: 3, Outputs: 2, Standardize: standardize}
		want := map[string][]float32{tensorWeight: {1, -2, 3, -4, 5, -6}, tensorBias: {0.5, -0.5}}
		if standardize {
			want[nets.FeatureMean], want[nets.FeatureStd] = []float32{7, 8, 9}, []float32{1, 2, 3}
		}
		dir := t.TempDir()
		if err := writeWeights(filepath.Join(dir, weightsFile), net, want); err != nil {
			t.Fatal(err)
		}
		got, err := readWeights(dir, net)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("standardize %v: got %+v, want %+v", standardize, got, want)
		}
	}
}

func TestReadWeightsIsStrict(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name   string
		change func(map[string]checkpoint.Tensor)
		want   []string
	}{
		{"missing", func(m map[string]checkpoint.Tensor) { delete(m, tensorBias) }, []string{tensorBias, "missing"}},
		{"unexpected", func(m map[string]checkpoint.Tensor) {
			m["extra"] = checkpoint.Tensor{Name: "extra", Shape: []int{1}, Data: []float32{1}}
		}, []string{"extra", "unexpected"}},
		{"misshapen", func(m map[string]checkpoint.Tensor) {
			m[tensorWeight] = checkpoint.Tensor{Name: tensorWeight, Shape: []int{3, 2}, Data: make([]float32, 6)}
		}, []string{tensorWeight, "[3 2]", "[2 3]"}},
		{"not finite", func(m map[string]checkpoint.Tensor) {
			m[nets.FeatureMean] = checkpoint.Tensor{Name: nets.FeatureMean, Shape: []int{3}, Data: []float32{1, nan, 1}}
		}, []string{nets.FeatureMean, "element 1"}},
		{"zero deviation", func(m map[string]checkpoint.Tensor) {
			m[nets.FeatureStd] = checkpoint.Tensor{Name: nets.FeatureStd, Shape: []int{3}, Data: []float32{1, 1, 0}}
		}, []string{nets.FeatureStd, "element 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, tensors := t.TempDir(), weightsTensors()
			c.change(tensors)
			var list []checkpoint.Tensor
			for _, one := range tensors {
				list = append(list, one)
			}
			if err := checkpoint.WriteSafetensors(filepath.Join(dir, weightsFile), list, nil); err != nil {
				t.Fatal(err)
			}
			_, err := readWeights(dir, weightsConfig().Net)
			runtest.WantError(t, err, append(c.want, weightsFile)...)
		})
	}
}

func TestReadConfigRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"format", func(c *Config) { c.Format = "graft-run-9" }, `"graft-run-9"`},
		{"kind", func(c *Config) { c.Kind = "tree" }, `"tree"`},
		{"no model", func(c *Config) { c.Net = nets.Head{} }, "option features"},
		{"outputs", func(c *Config) { c.Classes = append(c.Classes, "c") }, "2 outputs for 3 classes"},
		{"network without pixels", func(c *Config) {
			c.Kind, c.Net = nets.KindCNN, nets.StudyCNN(2)
		}, "pixels"},
		{"classes", func(c *Config) { c.Classes = c.Classes[:1] }, "1 classes"},
		{"no taps", func(c *Config) { c.Head.Taps = nil }, "no taps"},
		{"width", func(c *Config) { c.Head.Dim = 4 }, "3 features together, the head wants 4"},
		{"negative width", func(c *Config) { c.Backbone.Dims["cls"] = -3 }, `tap "cls" has -3 features`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, config := t.TempDir(), weightsConfig()
			c.change(&config)
			if err := writeJSON(filepath.Join(dir, configFile), runFormat, config); err != nil {
				t.Fatal(err)
			}
			_, err := ReadConfig(dir)
			runtest.WantError(t, err, c.want, configFile)
		})
	}
	_, err := ReadConfig(t.TempDir())
	runtest.WantError(t, err, "no run folder")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = ReadConfig(dir)
	runtest.WantError(t, err, configFile)
}

func TestPredictionsPathStaysInTheFolder(t *testing.T) {
	got := predictionsPath("run", `..\a/b:c`)
	if want := filepath.Join("run", "predictions-.._a_b_c.csv"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRandomNote(t *testing.T) {
	if got := RandomNote("weights.pth"); got != "" {
		t.Errorf("pretrained weights got the note %q", got)
	}
	if got := RandomNote("random:12"); !strings.Contains(got, "No pretrained weights") || !strings.Contains(got, "12") {
		t.Errorf("got %q, want plain words and the seed", got)
	}
}

// FuzzConfig feeds foreign bytes to the reader of config.json: it must not
// panic, and what it accepts must be safe to allocate by.
func FuzzConfig(f *testing.F) {
	good, err := json.Marshal(weightsConfig())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "", "{}", "null", `{"format":"graft-run-1","kind":"head","classes":["a","b"]}`,
		strings.Replace(string(good), `"cls":3`, `"cls":-3`, 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			return
		}
		if len(c.Classes) < 2 || c.Kind == nets.KindHead && (c.Head.Dim < 1 || c.Head.Dim > maxFeatures) {
			t.Errorf("accepted %d classes and %d features", len(c.Classes), c.Head.Dim)
		}
		if c.Net.Classes() != len(c.Classes) {
			t.Errorf("accepted a network of %d classes for %d", c.Net.Classes(), len(c.Classes))
		}
	})
}

// What config.json records opens the same set from any folder.
func TestAbsentClassIsNoted(t *testing.T) {
	got := Rows{Labels: []int{0, 2, 2}}.AbsentClasses([]string{"a", "b", "c"})
	if len(got) != 1 || !strings.Contains(got[0], "Class b") {
		t.Errorf("got %q, want a note on class b", got)
	}
}
