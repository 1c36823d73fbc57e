// Package fit trains the models of package nets on package engine.
//
// [Train] runs the epochs of a [Job]: seeded order, batches prepared beside the step that uses the one before, an
// optimiser with a learning-rate schedule, validation, early stopping, and a checkpoint after each epoch from which a
// killed training goes on to the same weights bit for bit. [Data] is what it learns from: [Images] with augmentation, or
// [Features] of a frozen backbone. An [Evaluator] computes logits of [Examples].
package fit
