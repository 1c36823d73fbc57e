package run_test

import (
	"fmt"

	"graft/finetune/run"
)

// A run's folder tells how it was trained without its weights being read.
func ExampleReadConfig() {
	c, err := run.ReadConfig("runs/head")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Kind, c.Head.Recipe, c.Head.Taps, c.Classes)
}
