package taps_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"graft/pretrained/taps"
)

func ExampleResolve() {
	known := []string{"cls", "mean", "cls_1", "cls_2", "cls_3", "cls_4"}
	fmt.Println(taps.Resolve("vit.onnx", known, []string{"cls_4,cls"}, taps.First))
	fmt.Println(taps.Resolve("vit.onnx", known, nil, taps.First))
	_, err := taps.Resolve("vit.onnx", known, []string{"cls_9"}, taps.First)
	fmt.Println(err)
	// Output:
	// [cls_4 cls] <nil>
	// [cls] <nil>
	// vit.onnx has no tap "cls_9"; it has cls, mean, cls_1, cls_2, cls_3, cls_4, or all
}

func TestResolve(t *testing.T) {
	known := []string{"cls", "mean", "cls_1"}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{nil, "cls"}, {[]string{""}, "cls"}, {[]string{"all"}, "cls mean cls_1"},
		{[]string{"cls_1, cls"}, "cls_1 cls"}, {[]string{"mean", "all", "mean"}, "mean cls cls_1"},
	} {
		got, err := taps.Resolve("m.onnx", known, c.words, taps.First)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v, %v; want %s", c.words, got, err, c.want)
		}
	}
	if got, err := taps.Resolve("m.onnx", known, []string{" , "}, taps.All); err != nil || !slices.Equal(got, known) {
		t.Errorf("no words: %v, %v; want all", got, err)
	}
	if !slices.Equal(known, []string{"cls", "mean", "cls_1"}) {
		t.Errorf("the known taps became %v", known)
	}
}

func TestUsual(t *testing.T) {
	for _, c := range []struct {
		usual       func([]string) []string
		known, want string
	}{
		{taps.Deep, "features", "features"},
		{taps.Deep, "cls mean cls_1 mean_1 cls_2 mean_2", "cls mean cls_1 mean_1"},
		{taps.Deep, "cls mean cls_1 mean_1 cls_2 mean_2 cls_3 mean_3 cls_4 mean_4", "cls mean cls_2 mean_2 cls_3 mean_3"},
		{taps.Deep, "mean pool proj mean_1 mean_2 mean_3 mean_4 mean_5 mean_6 mean_7 mean_8 mean_9 mean_10 mean_11 mean_12", "mean pool proj mean_6 mean_9"},
		{taps.Deep, "cls cls_1", "cls cls_1"},
		{taps.Last, "cls mean cls_1 mean_1 cls_2 mean_2", "cls mean cls_1 cls_2"},
		{taps.Last, "cls mean cls_1 cls_2 cls_3 cls_4 cls_5 cls_6", "cls mean cls_3 cls_4 cls_5 cls_6"},
		{taps.Last, "features", "features"},
		{taps.Last, "pool mean mean_1 mean_2 mean_3 mean_4 mean_5", "pool mean mean_2 mean_3 mean_4 mean_5"},
	} {
		if got := strings.Join(c.usual(strings.Fields(c.known)), " "); got != c.want {
			t.Errorf("of %s: %s, want %s", c.known, got, c.want)
		}
	}
}

// Cuts are named, whatever else is known.
func TestCuts(t *testing.T) {
	known := []string{"cls", "tokens_8", taps.Tensor("/a/b")}
	for words, want := range map[string]string{
		"all": "cls", "": "cls", "tokens_8,all": "tokens_8 cls", "tensor:/a/b": taps.Tensor("/a/b"), taps.Tensor("/a/b"): taps.Tensor("/a/b"),
	} {
		for _, usual := range []func([]string) []string{taps.All, taps.First, taps.Deep, taps.Last} {
			if got, err := taps.Resolve("m.onnx", known, []string{words}, usual); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%q: %v, %v; want %s", words, got, err, want)
			}
		}
	}
	if got, err := taps.Resolve("m.onnx", known[1:], nil, taps.First); err == nil || !strings.Contains(err.Error(), "have to be named") {
		t.Errorf("cuts alone, and none named: %v, %v", got, err)
	}
	for tap, want := range map[string]int{"tokens_0": 0, "tokens_12": 12, "tokens_": -1, "tokens_-1": -1, "tokens_08": -1, "cls_8": -1} {
		if k, ok := taps.Block(tap); ok != (want >= 0) || ok && k != want {
			t.Errorf("%s: block %d, %v", tap, k, ok)
		}
	}
}

// Names of tensors become names of folders, each its own.
func TestTensor(t *testing.T) {
	if got := taps.Tensor("blocks.0.fc1"); got != "tensor-blocks-0-fc1-a9fab4c9" {
		t.Errorf("%s", got)
	}
	safe, seen := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$`), map[string]bool{}
	for _, name := range []string{"a/b", "a.b", "", "/", "äöü", strings.Repeat("layer/", 100), strings.Repeat("Layer/", 100)} {
		got := taps.Tensor(name)
		if !safe.MatchString(got) || seen[got] || !taps.Cut(got) {
			t.Errorf("%q became %q", name, got)
		}
		seen[got] = true
	}
}
