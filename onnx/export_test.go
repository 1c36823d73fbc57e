package onnx

import "io"

// Read reads a model of size bytes from r, as Open does, but for external data.
func Read(r io.ReaderAt, size int64) (*Model, error) { return (&reader{r: r, size: size}).read() }

// ReadHeader reads from r what OpenHeader reads.
func ReadHeader(r io.ReaderAt, size int64) (*Model, error) {
	return (&reader{r: r, size: size, headerOnly: true}).read()
}

const (
	MaxDepth          = maxDepth
	MaxFields         = maxFields
	MessageFields     = messageFields
	MaxInitializers   = maxInitializers
	MaxStructureBytes = maxStructureBytes
)
