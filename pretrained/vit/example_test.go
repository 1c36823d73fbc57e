package vit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/pretrained/vit"
)

// Draws a small untrained network and writes it as an ONNX file from uint8
// pixels to features.
func Example() {
	c := vit.Config{Image: 32, Patch: 8, Width: 64, Depth: 2, Heads: 1, MLP: 128, Eps: 1e-6}
	model, err := vit.RandomConfig(c, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "vit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "vit.onnx")
	if err := model.Export(context.Background(), path, vit.ExportOptions{Version: "1"}); err != nil {
		fmt.Println(err)
		return
	}
	file, err := onnx.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	fmt.Println(file.Inputs[0], "→", file.Outputs[0], "and", len(file.Outputs)-1, "more")
	fmt.Println(file.Metadata["graft.arch"], file.Metadata["graft.source"])
	// Output:
	// pixels uint8 [N,C,H,W] → cls float32 [N,64] and 5 more
	// vit_w64_d2_h1_8 random:1
}
