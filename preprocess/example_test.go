package preprocess_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"

	"graft/preprocess"
)

func ExampleSquare() {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		fmt.Println(err)
	}
	im, err := preprocess.Decode(context.Background(), &file)
	if err != nil {
		fmt.Println(err)
		return
	}
	square := preprocess.Square(im, 224, 0.875)
	fmt.Println(im.C, im.H, im.W, square.H, square.W)
	// Output: 1 48 64 224 224
}
