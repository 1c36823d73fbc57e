package metrics

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestClassLinesAreCutAsTheStudyPrintedThem(t *testing.T) {
	r := Report{Total: 879, Correct: 710, Classes: []Class{{Name: "happy", Total: 879, Correct: 710}, {Name: "été"}}}
	want := "Happy: 80% (710/879)\nÉté: n/a (0/0)\nOverall: 80% (710/879)\n"
	if got := r.ClassLines(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteConfusion(t *testing.T) {
	r := Report{Classes: []Class{{Name: "a"}, {Name: "long"}}, Confusion: [][]int{{3, 14}, {0, 5}}}
	var b bytes.Buffer
	if err := r.WriteConfusion(&b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"  true \\ predicted  a  long\n" +
		"                 a  3    14\n" +
		"              long  0     5\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestWriteTableRefusesDifferentClasses(t *testing.T) {
	a, b := Report{Split: "x", Classes: []Class{{Name: "a"}}}, Report{Split: "y", Classes: []Class{{Name: "b"}}}
	if err := WriteTable(&bytes.Buffer{}, a, b); err == nil || !strings.Contains(err.Error(), "different classes") {
		t.Errorf("got %v, want an error about different classes", err)
	}
}

func ExampleEvaluate() {
	probs := []float32{
		0.7, 0.3,
		0.4, 0.6,
		0.5, 0.5, // a tie goes to the first class
	}
	r, err := Evaluate(probs, []int{0, 1, 1}, []string{"cat", "dog"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Split = "val"
	fmt.Print(r.ClassLines())
	_ = WriteTable(os.Stdout, r)
	// Output:
	// Cat: 100% (1/1)
	// Dog: 50% (1/2)
	// Overall: 66% (2/3)
	//                     val
	// Cat:                100% (1/1)
	// Dog:                50% (1/2)
	// accuracy            66.7% (2/3)
	// 95% interval        20.8–93.9%
	// balanced accuracy   75.0%
	// macro F1            0.667
	// cross-entropy       0.5202
	// calibration error   0.400
}
