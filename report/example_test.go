package report_test

import (
	"context"
	"fmt"
	"os"

	"graft/report"
)

// A page of two runs.
func ExampleMake() {
	r, err := report.Make(context.Background(), report.Config{Runs: []string{"runs/cnn", "runs/head"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := r.HTML()
	if err == nil {
		err = os.WriteFile("report.html", page, 0o644)
	}
	if err != nil {
		fmt.Println(err)
	}
}
