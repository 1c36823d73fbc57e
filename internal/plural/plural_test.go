package plural

import (
	"fmt"
	"testing"
)

func TestOf(t *testing.T) {
	for want, got := range map[string]string{
		"1 row": Of(1, "row"), "0 rows": Of(0, "row"), "2 classes": Of(2, "class"), "1 class": Of(1, "class"),
		"3 bad entries": Of(3, "bad entry"), "2 copies": Of(int64(2), "copy"), "2 days": Of(2, "day"), "2 batches": Of(2, "batch"), "2 ys": Of(2, "y"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func ExampleOf() {
	fmt.Println(Of(1, "image"), "and", Of(2, "class"))
	// Output: 1 image and 2 classes
}
