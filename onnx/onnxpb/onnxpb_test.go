package onnxpb_test

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"graft/onnx/onnxpb"
)

func Example() {
	n := &onnxpb.NodeProto{OpType: proto.String("Relu"), Input: []string{"x"}, Output: []string{"y"}}
	fmt.Println(n.GetOpType(), n.GetInput(), n.GetOutput())
	// Output: Relu [x] [y]
}
