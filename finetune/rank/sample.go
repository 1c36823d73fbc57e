package rank

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"graft/finetune/head"
	"graft/preprocess/dataset"
)

// leastImages is what cross-validation and its intervals need to mean anything.
const leastImages = 20

// draw cuts the dataset down to a sample, every class by its share and none left
// out.
func (c *Config) draw() error {
	if len(c.Splits) == 0 {
		c.Splits = []string{dataset.Train}
	}
	indices, err := c.Data.Select(c.Splits, 0)
	if err != nil {
		return err
	}
	labels := make([]int, len(indices))
	for i, at := range indices {
		labels[i] = c.Data.Samples[at].Label
	}
	if c.Sample > 0 && c.Sample < len(indices) {
		share := float64(c.Sample) / float64(len(indices))
		_, drawn, err := head.HoldOut(labels, len(c.Data.Classes), nil, share, c.Seed)
		if err != nil {
			return err
		}
		for i, at := range drawn {
			drawn[i], labels[i] = indices[at], labels[at]
		}
		indices, labels = drawn, labels[:len(drawn)]
	}
	slices.Sort(labels)
	switch kinds := len(slices.Compact(labels)); {
	case kinds < 2:
		return fmt.Errorf("%s of %s hold %d classes with images, want 2 or more to tell apart", strings.Join(c.Splits, ", "), c.Data.Path, kinds)
	case len(indices) < leastImages:
		return fmt.Errorf("a sample of %d images, want %d or more", len(indices), leastImages)
	}
	return c.Data.Keep(indices)
}

// deal gives every row a fold below n, drawn so that each fold has its share of
// every class.
func deal(labels []int, classes, n int, seed uint64) []int {
	byClass := make([][]int, classes)
	for i, y := range labels {
		byClass[y] = append(byClass[y], i)
	}
	out := make([]int, len(labels))
	r := rand.New(rand.NewPCG(seed, 0x666f6c6473)) // "folds"
	next := 0
	for _, rows := range byClass {
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, i := range rows {
			out[i] = next % n
			next++
		}
	}
	return out
}
