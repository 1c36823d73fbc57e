// Package engine runs graphs of package graph on the CPU.
//
// [Compile] turns a graph, the outputs that are wanted and its updates into a [Program]: equal nodes are merged,
// element-wise operations are fused, convolutions and pooling work on images interleaved sixteen at a time, and every
// intermediate value gets its place in one buffer by liveness. Compiling allocates everything; a step allocates
// nothing. Parameters, inputs and outputs are gorgonia.org/tensor values; matrix products go through gorgonia's
// replaceable BLAS, behind which package sgemm is put.
//
// Results do not depend on chance: the same graph, values and number of threads give the same bits.
//
// Operations without a kernel here run by their row in package graph: element-wise ones within the fused units, others
// in float64 on one core.
package engine
