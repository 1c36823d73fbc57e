package examples

import (
	"context"
	"fmt"
	"log"

	"graft/finetune/judge"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/ship"
	"graft/finetune/train"
	"graft/preprocess/dataset"
)

// A head is trained on a store. Its run folder holds the weights, every setting,
// and its figures on the splits that it was not trained on.
func Example_trainHead() {
	result, err := train.Head(context.Background(), train.HeadConfig{
		Embeddings: "embeddings", Out: "runs/head", Seed: 1,
	}, train.Observer{})
	if err != nil {
		log.Fatal(err)
	}
	for _, report := range result.Reports {
		fmt.Println(report.Split, report.Total)
	}
	// Output:
	// public-test 28
	// private-test 28
}

// A network is trained from scratch on images, here for one epoch.
func Example_trainNetwork() {
	config, err := train.NewNetConfig(nets.KindCNN, run.RecipeStudy)
	if err != nil {
		log.Fatal(err)
	}
	config.Data, config.Out, config.Fit.Epochs = dataset.Ref{Path: "photos"}, "runs/cnn", 1
	result, err := train.Net(context.Background(), config, train.Observer{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Run.Config.Kind, result.Run.Config.Classes)
	// Output: cnn [angry disgust fear happy sad surprise neutral]
}

// A run is judged on splits, here straight from images: backbone and head, nothing
// is kept.
func Example_judge() {
	e, err := judge.Evaluate(context.Background(), judge.Config{
		Run: "runs/head", Data: dataset.Ref{Path: "photos"}, Splits: []string{"public-test", "private-test"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range e.Reports {
		fmt.Println(r.Split, r.Total, "images") // also r.Accuracy with r.Interval, r.Loss, r.Classes, r.Confusion
	}
	// Output:
	// public-test 28 images
	// private-test 28 images
}

// One ONNX file of a run and its backbone, from pixels to probabilities.
func Example_ship() {
	made, err := ship.Export(context.Background(), ship.Config{Run: "runs/head", Out: "faces.onnx"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Outputs)
	// Output: [logits float32 [N,7] probabilities float32 [N,7]]
}

// A run's folder and a shipped file answer alike.
func Example_predict() {
	ctx := context.Background()
	p, err := model.Open(ctx, "faces.onnx", model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	answer, err := p.File(ctx, "photos/test/happy/PublicTest_00073.png")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(answer.Scores), "classes, the most probable first:", answer.Label == answer.Scores[0].Label)
	// Output: 7 classes, the most probable first: true
}
