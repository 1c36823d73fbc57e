package pretrained_test

import (
	"context"
	"fmt"

	"graft/preprocess"
	"graft/pretrained"
)

// Features of one image, from a backbone that graft exported.
func Example() {
	b, err := pretrained.Open(context.Background(), "vit_b_16.onnx", pretrained.Options{Taps: []string{"cls", "mean"}})
	if err != nil {
		fmt.Println("no backbone here")
		return
	}
	defer b.Close()
	face := b.Prepare(preprocess.New(1, 48, 48))
	cls, mean := make([]float32, b.Dim("cls")), make([]float32, b.Dim("mean"))
	err = b.Run(context.Background(), []preprocess.Image{face}, []string{"cls", "mean"}, [][]float32{cls, mean})
	fmt.Println(err)
	// Output: no backbone here
}
