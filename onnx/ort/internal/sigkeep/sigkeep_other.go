//go:build !linux && !darwin

package sigkeep

// Windows has no such handlers to lose: Ctrl-C arrives on a thread of its own.
func save() (restore func()) { return func() {} }
