package preprocess

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"testing"
	"time"
)

// TestDecodeStopsWaiting: a picture that waits for others to be decoded waits no
// longer than ctx.
func TestDecodeStopsWaiting(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if err := underWay.Acquire(t.Context(), MaxPixels); err != nil {
		t.Fatal(err)
	}
	defer underWay.Release(MaxPixels)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Decode(ctx, &file); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*BadImageError)) {
		t.Errorf("got %v, want the context's error", err)
	}
}
