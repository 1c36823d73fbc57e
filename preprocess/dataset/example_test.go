package dataset_test

import (
	"context"
	"fmt"

	"graft/preprocess/dataset"
)

func ExampleOpen() {
	d, err := dataset.Open(context.Background(), dataset.Ref{Path: "synthetic", Seed: 1, PerClass: 40}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	test, err := d.Select([]string{"public-test"}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	im, err := d.Image(context.Background(), test[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(test), d.Classes[d.Samples[test[0]].Label], im.C, im.H, im.W)
	// Output: 35 angry 1 48 48
}
