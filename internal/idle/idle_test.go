package idle

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestErrorf(t *testing.T) {
	err := fmt.Errorf("train: %w", Errorf("step-epochs step-factor", "schedule %s has no steps", "cosine"))
	var e *Error
	if !errors.As(err, &e) || !slices.Equal(e.Options, []string{"step-epochs", "step-factor"}) || err.Error() != "train: schedule cosine has no steps" {
		t.Errorf("%v, %+v", err, e)
	}
}

func ExampleErrorf() {
	err := Errorf("momentum", "momentum %g: adam has none", 0.9)
	fmt.Println(err)
	// Output: momentum 0.9: adam has none
}
