package compare_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune/compare"
)

// The figures of two runs, side by side.
func ExampleRead() {
	list, err := compare.Read(context.Background(), []string{"runs/cnn", "runs/head"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = compare.Write(os.Stdout, list)
}
