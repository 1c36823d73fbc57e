package taps_test

import (
	"fmt"
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
