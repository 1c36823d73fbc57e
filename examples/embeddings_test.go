package examples

import (
	"context"
	"fmt"
	"log"

	"graft/preprocess/dataset"
	"graft/pretrained"
	"graft/pretrained/extract"
	"graft/pretrained/store"
)

// A frozen backbone runs once over a data set, and its features lie on disk
// afterwards. Broken off and called again, Run goes on where it stopped.
func Example_extract() {
	ctx := context.Background()
	data, err := dataset.Open(ctx, dataset.Ref{Path: "photos"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	backbone, err := pretrained.Open(ctx, "backbone.onnx", pretrained.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer backbone.Close()
	done, err := extract.Run(ctx, extract.Config{Data: data, Backbone: backbone, Out: "embeddings", Taps: []string{"cls,mean"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Rows, "rows of", done.Taps)
	// Output: 126 rows of [cls (32) mean (32)]
}

// A store's features are one matrix, the taps side by side.
func Example_store() {
	s, err := store.Open("embeddings")
	if err != nil {
		log.Fatal(err)
	}
	m, err := s.Matrix([]string{"cls", "mean"}, "train")
	if err != nil {
		log.Fatal(err)
	}
	first := m.X[:m.Dim] // row i is m.X[i*m.Dim:][:m.Dim]
	fmt.Println(len(m.Labels), "rows of", len(first), "features, the first of", m.IDs[0], "of class", s.Classes()[m.Labels[0]])
	// Output: 70 rows of 64 features, the first of train/angry/Training_00000.png of class angry
}
