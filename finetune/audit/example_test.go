package audit_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"graft/finetune/audit"
	"graft/preprocess/dataset"
)

// A dataset is audited; the rows of each finding lie in the folder.
func Example() {
	ctx := context.Background()
	d, err := dataset.Open(ctx, dataset.Ref{Path: dataset.SyntheticPath, PerClass: 2, SkipBad: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	out, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(out)
	r, err := audit.Run(ctx, audit.Config{Data: d, Out: out, Tiny: audit.DefaultTiny})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images, "images,", r.Distinct, "distinct,", r.Leaks[0].Equal, "of", r.Leaks[0].Split, "in", r.Leaks[0].Of)
	// Output: 70 images, 70 distinct, 0 of public-test in train
}
