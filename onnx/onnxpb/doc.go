// Package onnxpb holds the protocol buffer messages of ONNX, generated from the
// official onnx.proto (version 1.23.2, IR version 14; Apache-2.0, see the
// header of the file). Use package onnx: these types are its wire format.
package onnxpb

// protoc 3.21 or newer and google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12.
//go:generate protoc --go_out=. --go_opt=paths=source_relative --go_opt=Monnx.proto=graft/onnx/onnxpb onnx.proto
