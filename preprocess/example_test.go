package preprocess_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"graft/preprocess"
)

func ExampleHost_Tensor() {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 48, 48))); err != nil {
		fmt.Println(err)
	}
	im, err := preprocess.Decode(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	h := preprocess.Host{Size: 224, CropPct: 0.875, Normalization: preprocess.Normalization{
		Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}}
	tensor := make([]float32, 3*h.Size*h.Size)
	h.Tensor(tensor, im)
	fmt.Println(im.C, im.H, im.W, tensor[0])
	// Output: 1 48 48 -1
}
