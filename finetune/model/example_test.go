package model_test

import (
	"context"
	"fmt"

	"graft/finetune/model"
)

// A run classifies any image file, and so does the one ONNX file made of it.
func ExampleOpen() {
	p, err := model.Open(context.Background(), "runs/head", model.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	prediction, err := p.File(context.Background(), "photo.jpg")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s with %.0f%%\n", prediction.Label, 100*prediction.Scores[0].Probability)
}
