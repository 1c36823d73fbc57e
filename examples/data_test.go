package examples

import (
	"context"
	"fmt"
	"log"

	"graft/preprocess/dataset"
)

// A data set, whatever its form, is a list of samples with split and label, and
// pixels on demand. Here faces are drawn; a path of your own stands in for
// "synthetic".
func Example_dataset() {
	ctx := context.Background()
	data, err := dataset.Open(ctx, dataset.Ref{Path: "synthetic", Seed: 1, PerClass: 10}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	for _, split := range data.Splits {
		fmt.Println(split, data.Info().Splits[split].Total)
	}
	first, err := data.Image(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %s: %d×%d, %d channel\n", data.Samples[0].ID, data.Classes[data.Samples[0].Label], first.W, first.H, first.C)

	// The same as a folder of PNG files.
	if err := dataset.Convert(ctx, data, "photos", nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// train 70
	// public-test 28
	// private-test 28
	// Training_00000 is angry: 48×48, 1 channel
}
