package ship_test

import (
	"context"
	"fmt"

	"graft/finetune/ship"
)

// A run and its backbone become one file, from pixels to probabilities.
func ExampleExport() {
	e, err := ship.Export(context.Background(), ship.Config{Run: "runs/head", Out: "faces.onnx"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Inputs, e.Outputs, e.Labels)
}
