package finetune_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune"
	"graft/finetune/metrics"
)

// A head is trained on a folder of embeddings; the figures of the other splits
// come back and lie in the run folder too.
func ExampleTrainHead() {
	result, err := finetune.TrainHead(context.Background(), finetune.HeadConfig{
		Embeddings: "embeddings", Taps: []string{"cls", "mean"}, Out: "runs/head", Seed: 1,
	}, finetune.Observer{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = metrics.WriteTable(os.Stdout, result.Reports...)
}

// A run classifies any image file, and so does the one ONNX file made of it.
func ExampleOpenPredictor() {
	p, err := finetune.OpenPredictor("runs/head", finetune.PredictorOptions{})
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

func ExampleHeadConfig_Check() {
	lambda := 0.1
	c := finetune.HeadConfig{Embeddings: "embeddings", Out: "run", Recipe: finetune.RecipeStudy, Lambda: &lambda}
	fmt.Println(c.Check())
	// Output: recipe study has no strength
}
