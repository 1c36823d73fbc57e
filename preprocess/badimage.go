package preprocess

import (
	"errors"
	"fmt"
	"io"
)

// BadImageError says that an image's own bytes are the problem: malformed, of
// an unsupported kind, too large, or not there to be read. Whoever goes
// through many images leaves such a one out and goes on; other errors (a
// cancelled context, a failing disk) concern the rest too.
type BadImageError struct {
	// Reason is short and the same for the same bytes on every machine; it
	// holds no path.
	Reason string
	// Err is the cause below Reason, nil where Reason says it all.
	Err error
}

func (e *BadImageError) Error() string { return e.Reason }

func (e *BadImageError) Unwrap() error { return e.Err }

// Cut tells whether the file ends before its picture does, as a broken-off
// download leaves it.
func (e *BadImageError) Cut() bool {
	return errors.Is(e.Err, errCut) || errors.Is(e.Err, io.ErrUnexpectedEOF) || errors.Is(e.Err, io.EOF)
}

var errCut = errors.New("the file is cut short")

func badImage(cause error, format string, args ...any) error {
	return &BadImageError{fmt.Sprintf(format, args...), cause}
}
