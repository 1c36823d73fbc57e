package onnx

const (
	MaxDepth          = maxDepth
	MaxFields         = maxFields
	MaxInitializers   = maxInitializers
	MaxStructureBytes = maxStructureBytes
)
