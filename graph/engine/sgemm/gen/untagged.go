//go:build !avo

// Command gen writes the assembly of package sgemm, if it is built with -tags avo.
//
//	go generate ./graph/engine/sgemm
package main

import "log"

func main() { log.Fatal("gen: build it with -tags avo, as go generate ./graph/engine/sgemm does") }
