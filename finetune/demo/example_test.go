package demo_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune/demo"
)

func ExampleRun() {
	result, err := demo.Run(context.Background(), demo.Config{Out: "demo", Seed: 1, Output: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Model)
}
