package meta

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"graft/preprocess"
)

func Example() {
	metadata := map[string]string{"unit": "faces"}
	Meta{Kind: "cnn", Labels: []string{"cat", "dog"}}.Write(metadata)
	m, err := Read(metadata)
	fmt.Println(metadata["graft.labels"], metadata["unit"], m.Kind, err)
	// Output: ["cat","dog"] faces cnn <nil>
}

func full() Meta {
	return Meta{
		Version: "v1", Arch: "vit_b_16", Variant: "distilled", Family: "timm", Source: "b.pth", SourceSHA256: "ab", SourceInterpolation: "bicubic",
		Patch: 16, Width: 768, Depth: 12, Heads: 3, Parameters: 12345, Precision: "int8", Quantization: "how",
		Spec:    preprocess.Spec{Size: 224, Width: 112, Filter: preprocess.Bilinear, Crop: 0.875, Channels: 3, Normalization: preprocess.ImageNet},
		Foreign: &preprocess.Spec{Host: true, Size: 16, Filter: preprocess.Bilinear, Crop: 1, Channels: 1, Normalization: preprocess.CLIP, Output: "y", Pool: "mean"},
		Kind:    "cnn", Whole: true, Labels: []string{"a,b", "c\nd"}, Notes: []string{"one", "two"}, BackboneSHA256: "cd", Taps: []string{"cls", "mean_2"}, Recipe: "lbfgs", Flip: true, Temperature: 1.5,
	}
}

// What Write writes Read reads, field by field.
func TestRoundTrip(t *testing.T) {
	want := full()
	for i := range reflect.TypeFor[Meta]().NumField() {
		if reflect.ValueOf(want).Field(i).IsZero() {
			t.Errorf("%s is zero, so that nothing is tested of it", reflect.TypeFor[Meta]().Field(i).Name)
		}
	}
	metadata := map[string]string{"graft.other": "stays"}
	want.Write(metadata)
	got, err := Read(metadata)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if metadata["graft.schema"] != "1" || metadata["graft.other"] != "stays" {
		t.Errorf("metadata %v", metadata)
	}
	(Meta{}).Write(metadata)
	if len(metadata) != 2 {
		t.Errorf("a file that says nothing has %v", metadata)
	}
	none := Meta{Spec: preprocess.Spec{Size: 8, Filter: preprocess.Bilinear, Crop: 1, Channels: 3, Normalization: preprocess.Normalization{Std: [3]float32{1, 1, 1}}}, Taps: []string{"cls"}}
	none.Write(metadata)
	if metadata["graft.mean"] != "0,0,0" || metadata["graft.head.flip"] != "false" {
		t.Errorf("zeros that say something: %v", metadata)
	}
	if got, err := Read(metadata); err != nil || !reflect.DeepEqual(got, none) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Files of before the schema was recorded keep their meaning, and their keys when they are written again.
func TestOldFiles(t *testing.T) {
	data, err := os.ReadFile("testdata/before_schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]map[string]string
	if err := json.Unmarshal(data, &files); err != nil {
		t.Fatal(err)
	}
	own := Meta{Version: "devel", Arch: "vit_ti_16", Family: "torchvision", Source: "random:1", Patch: 16, Width: 192, Depth: 12, Heads: 3, Precision: "float32",
		Spec: preprocess.Spec{Size: 224, Filter: preprocess.Bilinear, Crop: 0.875, Channels: 3, Normalization: preprocess.ImageNet}}
	int8 := own
	int8.Precision, int8.Quantization = "int8", files["int8"]["graft.quantization"]
	faces := []string{"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}
	head := int8
	head.Labels, head.Notes, head.Taps, head.Recipe, head.Flip = faces, []string{files["head"]["graft.notes"]}, []string{"cls", "mean_2"}, "lbfgs", true
	head.BackboneSHA256 = "439727d75c601d7ab5cf7a3cb84492599aafdedd50dcd13f442320ae38c606b8"
	for name, want := range map[string]Meta{
		"own": own, "int8": int8, "head": head,
		"cnn": {Version: "devel", Kind: "cnn", Labels: faces, Spec: preprocess.Spec{Size: 48, Filter: preprocess.Bilinear, Crop: 1, Channels: 3}},
		"foreign": {Version: "devel", Labels: []string{"a", "b"}, Taps: []string{"features"}, Recipe: "lbfgs", Flip: true,
			BackboneSHA256: "39f81c3605f03497acd2708c10136ec9097a6e07486d465ba4225dd5a93217ce",
			Foreign:        &preprocess.Spec{Host: true, Size: 16, Filter: preprocess.Bilinear, Crop: 1, Normalization: preprocess.Half, Output: "y", Pool: "mean"}},
	} {
		got, err := Read(files[name])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
		again := map[string]string{}
		got.Write(again)
		for key, value := range files[name] {
			if key != "graft.foreign" && again[key] != value {
				t.Errorf("%s: %s is %q when written again, want %q", name, key, again[key], value)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for key, words := range map[string][]string{
		"schema":     {"2", "0", "x"},
		"image_size": {"0", "-1", "x", "1e9", "7.5"},
		"crop_pct":   {"0", "1.5", "NaN", "x"},
		"patch":      {"0", "x"}, "width": {"-1"}, "depth": {"0"}, "heads": {"1.5"},
		"mean": {"1", "1,2", "1,2,3,4", "a,b,c"}, "std": {"0.5"},
		"foreign": {"x", "[]", "null"}, "labels": {"x", `["one"]`, "{}"}, "head.flip": {"yes"},
	} {
		for _, word := range words {
			_, err := Read(map[string]string{"graft." + key: word})
			if want := fmt.Sprintf("metadata graft.%s is %q", key, word); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "want ") {
				t.Errorf("got %v, want an error with %q and what was wanted", err, want)
			}
		}
	}
	for _, key := range ofBackbones {
		backbone := map[string]string{}
		full().Write(backbone)
		delete(backbone, "graft."+key)
		if _, err := Read(backbone); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("metadata graft.%s is \"\", want ", key)) {
			t.Errorf("a backbone without %s: %v", key, err)
		}
	}
	if m, err := Read(map[string]string{"author": "x"}); err != nil || !reflect.DeepEqual(m, Meta{}) {
		t.Errorf("a foreign file gives %+v, %v", m, err)
	}
}
