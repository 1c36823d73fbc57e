package train_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune/metrics"
	"graft/finetune/run"
	"graft/finetune/train"
)

// A head is trained on a folder of embeddings; the figures of the other splits
// come back and lie in the run folder too.
func ExampleHead() {
	result, err := train.Head(context.Background(), train.HeadConfig{
		Embeddings: "embeddings", Taps: []string{"cls", "mean"}, Out: "runs/head", Seed: 1,
	}, train.Observer{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = metrics.WriteTable(os.Stdout, result.Reports...)
}

func ExampleHeadConfig_Check() {
	lambda := 0.1
	c := train.HeadConfig{Embeddings: "embeddings", Out: "run", Recipe: run.RecipeStudy, Lambda: &lambda}
	_, err := c.Check()
	fmt.Println(err)
	// Output: lambda 0.1: recipe study has no strength
}
