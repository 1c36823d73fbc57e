package fit

import "fmt"

// Data is what a model learns from. Its methods are called by one goroutine at a time.
type Data interface {
	// Len is the number of examples.
	Len() int
	// Shape is one example's shape.
	Shape() []int
	// Batch writes the examples of the given rows, as they are seen in the epoch (counted from 0), into x, and their
	// targets into targets, a row of the classes' shares for each.
	Batch(x, targets []float32, epoch int, rows []int) error
}

// Examples are what a model is judged on. Its methods are called by one goroutine at a time.
type Examples interface {
	Len() int
	Shape() []int
	// Views is how many forms of each example there are, such as an image and its mirror image. Their logits are averaged.
	Views() int
	// View writes a view of the given rows into x.
	View(x []float32, view int, rows []int) error
}

// Validation is what is judged after each epoch.
type Validation struct {
	Examples Examples
	Labels   []int
}

// OneHot is the targets [len(labels),classes] of hard labels.
func OneHot(labels []int, classes int) []float32 {
	t := make([]float32, len(labels)*classes)
	for i, y := range labels {
		t[i*classes+y] = 1
	}
	return t
}

// checkTargets wants a row of classes for each of n examples, none of them empty: such a row is padding to the loss.
func checkTargets(targets []float32, n, classes int) error {
	if classes < 1 || len(targets) != n*classes {
		return fmt.Errorf("%d targets for %d examples of %d classes, want %d", len(targets), n, classes, n*classes)
	}
	for i := range n {
		var sum float32
		for _, v := range targets[i*classes : (i+1)*classes] {
			if !(v >= 0) {
				return fmt.Errorf("targets of example %d: %v, want shares of 0 or more", i, targets[i*classes:(i+1)*classes])
			}
			sum += v
		}
		if !(sum > 0) {
			return fmt.Errorf("targets of example %d are all 0", i)
		}
	}
	return nil
}
