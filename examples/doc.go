// Package examples shows how Go programs use graft, one example for each thing to
// build on; docs/api.md quotes them. They run as tests, in their order, in one
// folder: a later one takes what an earlier one left there.
package examples
