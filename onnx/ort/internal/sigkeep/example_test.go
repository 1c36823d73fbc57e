package sigkeep_test

import (
	"fmt"

	"graft/onnx/ort/internal/sigkeep"
)

func ExampleKeep() {
	err := sigkeep.Keep(func() error {
		// load a library that may replace signal handlers
		return nil
	})
	fmt.Println(err)
	// Output: <nil>
}
