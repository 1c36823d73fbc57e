package knn_test

import (
	"context"
	"fmt"

	"graft/finetune/knn"
)

// Two neighbours vote on a new row.
func Example() {
	train := []float32{
		1, 0, // class 0
		0.9, 0.1, // class 0
		0, 1, // class 1
	}
	ix, err := knn.New(train, 2, []int{0, 0, 1}, 2, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	nb, err := ix.Search(context.Background(), []float32{3, 0.4}, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nb.Rows, ix.Shares(nb, knn.Equal))
	// Output: [1 0] [1 0]
}
