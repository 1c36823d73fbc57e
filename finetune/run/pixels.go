package run

import (
	"errors"
	"fmt"

	"graft/preprocess"
)

// How pixels come to a network's size.
const (
	FitResize = "resize" // antialiased, as preprocess.ResizeAntialias
	FitCrop   = "crop"   // cut out of the middle
)

// PixelsRecord is how images become a network's input.
type PixelsRecord struct {
	Side   int    `json:"side"`   // images are side×side; others are made so first
	Fit    string `json:"fit"`    // how they come to the network's size: FitResize or FitCrop
	Mirror bool   `json:"mirror"` // logits are the mean over the image and its mirror image
}

// Check wants images that come to the network's input [C,H,W].
func (p *PixelsRecord) Check(shape []int) error {
	switch {
	case p == nil:
		return errors.New("nothing is said about pixels")
	case len(shape) != 3 || shape[1] != shape[2]:
		return fmt.Errorf("the network's input is %v, want square images", shape)
	case p.Side < 1 || p.Side > preprocess.MaxSide:
		return fmt.Errorf("images of %d pixels a side, want 1 to %d", p.Side, preprocess.MaxSide)
	case p.Fit != FitResize && p.Fit != FitCrop:
		return fmt.Errorf("fit %q, want %s or %s", p.Fit, FitResize, FitCrop)
	case p.Fit == FitCrop && p.Side < shape[1]:
		return fmt.Errorf("the network's input of %d pixels a side cannot be cut out of images of %d", shape[1], p.Side)
	case shape[0] != 1 && shape[0] != 3:
		return fmt.Errorf("images of %d channels, want 1 or 3", shape[0])
	}
	return nil
}

// Kept is the side that images are kept with, before a crop.
func (p PixelsRecord) Kept(shape []int) int {
	if p.Fit == FitResize {
		return shape[1]
	}
	return p.Side
}
