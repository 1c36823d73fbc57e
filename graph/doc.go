// Package graph describes tensor programs: nodes with static shapes, joined by operations, and their gradients.
//
// A [Graph] is built once with its methods (one per operation) and holds no numbers but constants and the
// starting values of parameters; package engine runs it. Vocabulary:
//
//   - an input is set by the caller before a step, a parameter lives from step to step, a constant never changes;
//   - an operation is one row of a table, in its family's file: arity, shape rule, gradient rule, value by the plainest
//     means, ONNX form, and the names of its fixtures. Package engine may have a fast kernel besides;
//   - a gradient rule is a vector-Jacobian product: from the gradient of a node's output it builds the gradients of
//     its inputs out of the same operations. nil means that nothing flows to that input;
//   - an update replaces a parameter's value at the end of a step; all updates read the values of before the step.
//
// Building never panics on a wrong shape: the first error is kept, later calls do nothing, and [Graph.Err],
// [Gradient] and the engine's Compile return it. So model code reads as a list of layers.
//
// Ties have fixed rules, which are PyTorch's: ReLU's gradient at 0 is 0; max pooling gives the gradient to the first
// of equal maxima in row order; [Graph.Max] spreads it evenly over them (torch.amax).
package graph
