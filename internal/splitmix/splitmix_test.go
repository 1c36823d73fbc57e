package splitmix_test

import (
	"fmt"
	"testing"

	"graft/internal/splitmix"
)

func ExampleNext() {
	fmt.Printf("%x\n", splitmix.Next(0))
	// Output: e220a8397b1dcdaf
}

// The numbers are those of the authors' program for the seed 1234567.
func TestSequence(t *testing.T) {
	x := uint64(1234567)
	for i, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821} {
		if got := splitmix.Next(x + uint64(i)*splitmix.Gamma); got != want {
			t.Errorf("number %d is %d, want %d", i, got, want)
		}
	}
}
