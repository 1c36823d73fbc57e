package metrics

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Percentages are rounded, and names stand as they are given: two classes may
// differ in case alone.
func TestWriteTable(t *testing.T) {
	r := Report{Split: "val", Total: 22, Correct: 20, Accuracy: 20. / 22, Classes: []Class{
		{Name: "cat", Total: 11, Correct: 10}, {Name: "Cat", Total: 879, Correct: 710}, {Name: "iPhone", Total: 3, Correct: 2}, {Name: "été"}}}
	var b bytes.Buffer
	if err := WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, want := range []string{"val", "cat: 90.9% (10/11)", "Cat: 80.8% (710/879)", "iPhone: 66.7% (2/3)", "été: n/a (0/0)", "accuracy 90.9% (20/22)"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %q, want %q", got, want)
		}
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

func TestWriteReliability(t *testing.T) {
	c, err := Answers{Probs: []float32{0.9, 0.1, 0.91, 0.09, 0.5, 0.5}, Labels: []int{0, 1, 0}}.Calibration(2)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.WriteReliability(&b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"  probability  predictions   mean                right\n" +
		"    0.47–0.53            1  0.500  1.000 (0.207–1.000)\n" +
		"    0.87–0.93            2  0.905  0.500 (0.095–0.905)\n"
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
	_ = WriteTable(os.Stdout, r)
	// Output:
	//                     val
	// cat:                100.0% (1/1)
	// dog:                50.0% (1/2)
	// accuracy            66.7% (2/3)
	// 95% interval        20.8–93.9%
	// balanced accuracy   75.0% (0.0–100.0%)
	// top 2, 3, 5         n/a
	// macro F1            0.667 (0.000–1.000)
	// Cohen's kappa       0.400 (0.000–1.000)
	// AUROC               1.000 (1.000–1.000)
	// average precision   1.000 (1.000–1.000)
	// cross-entropy       0.5202 (0.3567–0.6931)
	// Brier score         0.333 (0.180–0.500)
	// calibration error   0.400 (0.300–0.500)
}
