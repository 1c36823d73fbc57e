package run

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestPredictionsAreReadAsWritten(t *testing.T) {
	dir, classes := t.TempDir(), []string{"cat", "a \"dog\", big"}
	rows := Rows{Labels: []int{1, 0, 1}, IDs: []string{"a", "b\nc", `d"`}, Indices: []int{4, 7, 9}}
	if err := WritePredictions(dir, "test", classes, rows, []float32{0.25, 0.75, 0.5, 0.5, 0.6, 0.4}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPredictions(dir, "test", classes)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Labels, rows.Labels) || !slices.Equal(got.IDs, rows.IDs) || !slices.Equal(got.Indices, rows.Indices) ||
		!slices.Equal(got.Right(), []bool{true, true, false}) {
		t.Errorf("read %+v", got)
	}
	if got, err := ReadProbabilities(dir, "test", classes); err != nil || !slices.Equal(got.Probs, []float32{0.25, 0.75, 0.5, 0.5, 0.6, 0.4}) {
		t.Errorf("probabilities %v, %v", got.Probs, err)
	}
	if got, err := ReadPredictions(dir, "exam", classes); got != nil || err != nil {
		t.Errorf("of a split that was not judged: %v, %v", got, err)
	}
}

// What was held out has a file of its own, also where a split is called so.
func TestHeldOutIsReadWithProbabilities(t *testing.T) {
	dir, classes := t.TempDir(), []string{"a", "b"}
	if got, err := ReadHeldOut(dir, classes); got != nil || err != nil {
		t.Fatalf("of a run without: %v, %v", got, err)
	}
	rows := Rows{Labels: []int{1, 0}, IDs: []string{"x", "y"}, Indices: []int{4, 7}}
	if err := WriteHeldOut(dir, classes, rows, []float32{0.25, 0.75, 1e-30, 1}); err != nil {
		t.Fatal(err)
	}
	if err := WritePredictions(dir, "holdout", classes, rows.At([]int{1}), []float32{0.5, 0.5}); err != nil {
		t.Fatal(err)
	}
	got, err := ReadHeldOut(dir, classes)
	if err != nil || !slices.Equal(got.Probs, []float32{0.25, 0.75, 1e-30, 1}) || !slices.Equal(got.Labels, rows.Labels) {
		t.Errorf("got %+v, %v", got, err)
	}
	split, err := ReadPredictions(dir, "holdout", classes)
	if err != nil || !slices.Equal(split.IDs, []string{"y"}) || split.Probs != nil {
		t.Errorf("of the split: %+v, %v", split, err)
	}
	if _, err := ReadHeldOut(dir, []string{"a", "b", "c"}); err == nil || !strings.Contains(err.Error(), "no column p_c") {
		t.Errorf("of other classes: %v", err)
	}
	bad := filepath.Join(dir, "predictions-holdout.csv")
	if err := os.WriteFile(bad, []byte("index,id,label,predicted,p_a,p_b\n1,x,a,a,0.5,half\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHeldOut(dir, classes); err == nil || !strings.Contains(err.Error(), `line 2: p_b is "half"`) {
		t.Errorf("of a word: %v", err)
	}
}

func TestPredictionsColumnsByName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "predictions-test.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("clean,predicted,label,id,index,p_a,p_a,group\n1,a,b,x,3,,,12\n0,b,b,y,1,,,-4\n")
	got, err := ReadPredictions(dir, "test", []string{"a", "b"})
	want := &Predictions{Indices: []int{3, 1}, IDs: []string{"x", "y"}, Labels: []int{1, 1}, Predicted: []int{0, 1}, Groups: []int{12, -4}, Clean: []bool{true, false}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	write("index,id,label,predicted,group,clean\n3,x,a,a,,\n4,y,a,a,,\n")
	if got, err := ReadPredictions(dir, "test", []string{"a", "b"}); err != nil || got.Groups != nil || got.Clean != nil {
		t.Errorf("of empty columns: %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                           "no header",
		"index,id,label,predicted\n": "no rows",
		"index,id,label\n1,x,a\n":    "no column predicted",
		"index,id,id,label,predicted\n1,x,,a,a\n":                       "column id is there twice",
		"index,id,label,predicted\n1,x,a,a\n2,y,a\n":                    "record on line 3",
		"index,id,label,predicted\n1,\"x\ny\",a,a\n2.5,y,a,a\n":         `line 4: index is "2.5"`,
		"index,id,label,predicted\n-1,x,a,a\n":                          `index is "-1"`,
		"index,id,label,predicted\n1,x,c,a\n":                           `line 2: label is "c", which is no class`,
		"index,id,label,predicted\n1,x,a,A\n":                           `predicted is "A"`,
		"index,id,label,predicted,group\n1,x,a,a,g\n":                   `group is "g"`,
		"index,id,label,predicted,clean\n1,x,a,a,yes\n":                 `clean is "yes"`,
		"index,id,label,predicted,group,clean\n1,x,a,a,3,\n2,x,a,a,,\n": "filled in some rows",
	} {
		write(text)
		if _, err := ReadPredictions(dir, "test", []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("of %q: error %v, want %q and the file", text, err, want)
		}
	}
}
