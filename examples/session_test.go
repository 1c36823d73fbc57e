package examples

import (
	"context"
	"fmt"
	"log"

	"graft/onnx/session"
	"graft/pretrained"
)

// A session runs any ONNX model. Several goroutines may call Run at once.
func Example_session() {
	s, err := pretrained.OpenSession(context.Background(), "backbone.onnx", session.Options{Provider: session.CPU})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for _, in := range s.Inputs() {
		fmt.Println("input", in)
	}
	pixels := make([]uint8, 2*48*48) // two gray images
	cls := make([]float32, 2*32)
	err = s.Run(context.Background(),
		[]session.Tensor{{Name: "pixels", Shape: []int64{2, 1, 48, 48}, Data: pixels}},
		[]session.Tensor{{Name: "cls", Shape: []int64{2, 32}, Data: cls}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ran on", s.Provider())
	// Output:
	// input pixels uint8 [N,C,H,W]
	// ran on cpu
}
