//go:build !cgo || (!linux && !darwin)

package sighandler

// Windows has no such handlers to lose: Ctrl-C arrives on a thread of its own. And
// where cgo is off no native code runs.
func save() (restore func()) { return func() {} }
