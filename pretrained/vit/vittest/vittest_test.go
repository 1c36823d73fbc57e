package vittest_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"graft/onnx"
	"graft/pretrained/vit/vittest"
)

func TestWriteTiny(t *testing.T) {
	a, b := vittest.WriteTiny(t, t.TempDir()), vittest.WriteTiny(t, t.TempDir())
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) || len(x) > 300_000 {
		t.Errorf("%d and %d bytes, want the same small file twice", len(x), len(y))
	}
	m, err := onnx.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := fmt.Sprint(m.Outputs); got != "[cls float32 [N,32] mean float32 [N,32] cls_1 float32 [N,32] mean_1 float32 [N,32] cls_2 float32 [N,32] mean_2 float32 [N,32] logits float32 [N,5]]" {
		t.Errorf("outputs %s", got)
	}
}

func Example() {
	fmt.Println(vittest.Config.Arch(), "with", vittest.Config.Params(), "parameters")
	// Output: vit_w32_d2_h4_8 with 24069 parameters
}
