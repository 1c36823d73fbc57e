//go:build linux || darwin

package thief_test

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"graft/onnx/ort/internal/thief"
)

// C swallows a signal that would have ended the program.
func ExampleSteal() {
	fmt.Println(thief.Steal(syscall.SIGUSR1))
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	for thief.Swallowed() == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(thief.Swallowed())
	// Output:
	// true
	// 1
}
