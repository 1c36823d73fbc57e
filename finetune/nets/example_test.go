package nets_test

import (
	"fmt"
	"os"

	"graft/finetune/nets"
	"graft/graph"
)

// Prints the study's network and builds its forward pass for a batch of 32.
func Example() {
	net := nets.StudyCNN(7)
	layers, err := nets.Layers(net)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := nets.WriteTable(os.Stdout, layers); err != nil {
		fmt.Println(err)
	}

	g := graph.New()
	x := g.Input("x", 32, 1, 32, 32)
	w, err := nets.Declare(g, net, nets.Init(net, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("logits", net.Forward(g, x, w, nets.Mode{}).Shape())
	// Output:
	// layer  operations       output    parameters  MACs
	// conv1  Conv Relu        6×28×28   156         117600
	// pool1  MaxPool          6×14×14   0           0
	// conv2  Conv Relu        16×10×10  2416        240000
	// pool2  MaxPool          16×5×5    0           0
	// fc1    MatMul Add Relu  120       48120       48000
	// fc2    MatMul Add Relu  84        10164       10080
	// fc3    MatMul Add       7         595         588
	// total                             61451       416268
	// logits [32 7]
}
