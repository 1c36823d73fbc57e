package load_test

import (
	"fmt"

	"graft/finetune/load"
	"graft/preprocess/dataset"
	"graft/pretrained/store"
)

// The features of a split, two taps side by side, with the labels of its rows.
func ExampleReadFeatures() {
	s, err := store.Open("embeddings")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := load.ReadFeatures(s, []string{"cls", "mean"}, dataset.Train, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(f.Labels), "rows of", f.Dim, "features")
}
