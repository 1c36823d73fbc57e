package suggest_test

import (
	"fmt"
	"testing"

	"graft/internal/suggest"
)

func ExampleDidYouMean() {
	fmt.Println("no command trian" + suggest.DidYouMean("trian", []string{"eval", "train"}))
	// Output: no command trian; did you mean train?
}

func TestDidYouMean(t *testing.T) {
	known := []string{"eval", "export", "--split", "--batch", "vit_b_16", "vit_tiny_patch16_augreg"}
	for word, want := range map[string]string{
		"evel": "eval", "exprot": "export", "--spilt": "--split", "-batchsize": "--batch", "vit_b_17": "vit_b_16", "vit_tiny": "vit_tiny_patch16_augreg",
		"push": "", "": "", "--depth": "", "no_such_model": "", "x": "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := suggest.DidYouMean(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
