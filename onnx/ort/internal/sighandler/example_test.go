package sighandler_test

import (
	"fmt"

	"graft/onnx/ort/internal/sighandler"
)

func ExamplePreserve() {
	err := sighandler.Preserve(func() error {
		// load a library that may replace signal handlers
		return nil
	})
	fmt.Println(err)
	// Output: <nil>
}
