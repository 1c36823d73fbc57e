package examples

import (
	"context"
	"fmt"
	"os"
	"testing"

	"graft/pretrained/vit"
)

// TestMain runs the examples in a folder that holds a small backbone.
func TestMain(m *testing.M) {
	os.Exit(inFolder(m))
}

func inFolder(m *testing.M) int {
	dir, err := os.MkdirTemp("", "graft-examples-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
		return 1
	}
	net, err := vit.RandomConfig(vit.Config{Image: 32, Patch: 8, Width: 32, Depth: 2, Heads: 4, MLP: 64, Eps: 1e-6}, 1)
	if err == nil {
		err = net.Export(context.Background(), "backbone.onnx", vit.ExportOptions{Version: "example"})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}
