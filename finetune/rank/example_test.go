package rank_test

import (
	"context"
	"fmt"
	"os"

	"graft/finetune/rank"
	"graft/preprocess/dataset"
)

// Two backbones are compared on 500 images of a folder's train split.
func ExampleRun() {
	ctx := context.Background()
	data, err := dataset.Open(ctx, dataset.Ref{Path: "photos"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer data.Close()
	files, err := rank.Find([]string{"vit_tiny.onnx", "vit_b_16"}, "models")
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := rank.Run(ctx, rank.Config{Data: data, Backbones: files, Sample: 500, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = report.WriteTable(os.Stdout)
}
