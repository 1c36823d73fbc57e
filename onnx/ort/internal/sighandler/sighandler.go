// Package sighandler protects the process's signal handlers from native code.
//
// Libraries that CUDA and TensorRT pull in replace handlers when they are
// loaded, SIGINT's among them, without asking and without the alternate stack
// that Go needs. Ctrl-C then never reaches the program. Calling signal.Notify
// again does not mend it, because Go believes that its handler is in place.
package sighandler

// Preserve runs f and puts back every signal handler that f replaced by one that is
// not Go's.
func Preserve(f func() error) error {
	restore := save()
	defer restore()
	return f()
}
