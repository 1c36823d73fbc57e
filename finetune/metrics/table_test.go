package metrics

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestTableShowsNamesAndSharesAsTheyAre wants shares rounded and class names as given.
func TestTableShowsNamesAndSharesAsTheyAre(t *testing.T) {
	r := Report{Split: "val", Total: 11, Correct: 10, Classes: []Class{{Name: "iPhone", Total: 11, Correct: 10}, {Name: "cat"}, {Name: "Cat"}}}
	var b bytes.Buffer
	if err := WriteTable(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\niPhone:             90.9% (10/11)\n", "\ncat:                n/a (0/0)\n", "\nCat:                n/a (0/0)\n",
		"\naccuracy            90.9% (10/11)\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%swant a line %q", b.String(), want)
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
	// balanced accuracy   75.0%
	// macro F1            0.667
	// cross-entropy       0.5202
	// calibration error   0.400
}
