package show_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"graft/preprocess/dataset"
	"graft/report/show"
)

func ExampleData() {
	ctx := context.Background()
	d, err := dataset.Open(ctx, dataset.Ref{Path: dataset.SyntheticPath, PerClass: 4, Seed: 1}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	r, err := show.Data(ctx, show.DataConfig{Data: d, Samples: 2, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "shown")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	err = r.Write(show.Folder{Path: dir, Form: show.FormPNG})
	fmt.Println(r.Files, err)
	// Output: [01-samples.png 02-classes.svg] <nil>
}
