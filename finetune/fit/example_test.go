package fit_test

import (
	"context"
	"fmt"

	"graft/finetune/fit"
	"graft/finetune/nets"
)

// A linear head learns to tell negative from positive numbers.
func Example() {
	x := fit.Features{Dim: 1}
	var labels, rows []int
	for i := range 100 {
		x.X = append(x.X, float32(i%2)*2-1)
		labels, rows = append(labels, i%2), append(rows, i)
	}
	data, err := fit.NewFeatures(x, rows, fit.OneHot(labels, 2), 2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := fit.Train(context.Background(), fit.Job{
		Net: nets.Head{Features: 1, Outputs: 2}, Train: data, Validation: &fit.Validation{Examples: x, Labels: labels},
		Config: fit.Config{Epochs: 5, Batch: 10, Optimizer: fit.Adam, LearningRate: 0.1, Schedule: fit.Cosine},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d epochs, accuracy %.0f%%\n", len(r.History), 100**r.History[4].ValidationAccuracy)
	// Output: 5 epochs, accuracy 100%
}
