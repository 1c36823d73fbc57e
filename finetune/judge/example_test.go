package judge_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune/judge"
	"graft/finetune/metrics"
	"graft/preprocess/dataset"
)

// A run is judged on another dataset of the same classes.
func ExampleEvaluate() {
	e, err := judge.Evaluate(context.Background(), judge.Config{Run: "runs/cnn", Data: dataset.Ref{Path: "faces.zip"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = metrics.WriteTable(os.Stdout, e.Reports...)
}
