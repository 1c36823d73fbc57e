package bench_test

import (
	"context"
	"fmt"

	"graft/finetune/bench"
)

// The study's CNN, trained for two timed rounds of 64 images after one that
// warms up.
func ExampleRun() {
	cases, err := bench.Run(context.Background(), bench.CNN, bench.Config{Rounds: 2, Images: 64, Threads: 1, Seed: 1}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range cases {
		fmt.Println(c.Name, c.Batch, c.Unit, c.ItemsPerSecond > 0)
	}
	// Output: cnn 32 images true
}
