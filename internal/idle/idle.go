// Package idle is of options that would have no effect: they are refused where someone gave them, and passed over where
// they were only set for every command that takes them.
package idle

import (
	"fmt"
	"strings"
)

// Error refuses options that would have no effect.
type Error struct {
	Options []string // as on the command line, without dashes
	msg     string
}

func (e *Error) Error() string { return e.msg }

// Errorf refuses options, their names separated by blanks.
func Errorf(options, format string, args ...any) error {
	return &Error{strings.Fields(options), fmt.Sprintf(format, args...)}
}
