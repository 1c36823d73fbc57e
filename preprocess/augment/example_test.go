package augment_test

import (
	"fmt"

	"graft/preprocess/augment"
)

// Changes a batch of two 48×48 faces in the third epoch.
func Example() {
	p, err := augment.Parse("hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2")
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := augment.New(p, 1, 48, 48, 1, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	faces := func(dst []float32, index int) {
		for i := range dst {
			dst[i] = float32((i+index)%256) / 255
		}
	}
	indices := []int{17, 4}
	x, targets := make([]float32, 2*48*48), []float32{0, 1, 1, 0}
	if err := a.Images(x, 3, indices, faces); err != nil {
		fmt.Println(err)
	}
	if err := a.Mix(x, targets, 2, 3, indices); err != nil {
		fmt.Println(err)
	}
	fmt.Println(p, a.Shape())
	// Output:
	// hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2 [1 48 48]
}
