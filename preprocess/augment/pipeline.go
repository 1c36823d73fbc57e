package augment

import (
	"fmt"
	"math"

	"graft/internal/idle"
)

// Pipeline says what may happen to an image. The zero value leaves it as it is. Angles, factors and places are drawn
// uniformly.
type Pipeline struct {
	HFlip      float64 // probability of mirroring left to right, 0…1
	VFlip      float64 // probability of mirroring top to bottom, 0…1
	Shift      float64 // up to this part of the side in each direction, 0…1; whole pixels where nothing rotates or scales
	Rotate     float64 // up to so many degrees either way, 0…180
	Scale      float64 // size between 1-Scale and 1+Scale, 0…0.9
	Crop       int     // the result's side in pixels, cut out at a random place; 0 keeps the size
	ZeroPad    bool    // what lies outside the image is 0; otherwise the nearest pixel
	Brightness float64 // adds between -Brightness and +Brightness, 0…1
	Contrast   float64 // distances from the image's mean times between 1-Contrast and 1+Contrast, 0…1
	Noise      float64 // deviation of Gaussian noise, 0…1
	Cutout     int     // side in pixels of a square set to the image's mean (DeVries and Taylor 2017), its centre anywhere
	Mixup      float64 // α of the Beta(α,α) distribution of the share (Zhang et al. 2018); 0 or 0.01…1
}

// maxSide bounds crop and cutout, in pixels.
const maxSide = 1 << 14

// field is one option of a pipeline: its word, its place, its range, and what the word alone means.
type field struct {
	word   string
	value  *float64
	whole  *int
	max    float64
	alone  float64 // value of the word without a number; 0: a number is needed
	lowest float64 // smallest value besides 0
}

// fields lists the options in the order of their text form.
func (p *Pipeline) fields() []field {
	return []field{
		{word: "hflip", value: &p.HFlip, max: 1, alone: 0.5},
		{word: "vflip", value: &p.VFlip, max: 1, alone: 0.5},
		{word: "shift", value: &p.Shift, max: 1},
		{word: "rotate", value: &p.Rotate, max: 180},
		{word: "scale", value: &p.Scale, max: 0.9},
		{word: "crop", whole: &p.Crop, max: maxSide, lowest: 1},
		{word: "brightness", value: &p.Brightness, max: 1},
		{word: "contrast", value: &p.Contrast, max: 1},
		{word: "noise", value: &p.Noise, max: 1},
		{word: "cutout", whole: &p.Cutout, max: maxSide, lowest: 1},
		{word: "mixup", value: &p.Mixup, max: 1, lowest: 0.01},
	}
}

func (f field) get() float64 {
	if f.whole != nil {
		return float64(*f.whole)
	}
	return *f.value
}

// check refuses values outside of the range, NaN among them.
func (f field) check(v float64) error {
	if f.whole != nil && v != math.Trunc(v) {
		return fmt.Errorf("augment: %s=%g: want a whole number of pixels", f.word, v)
	}
	if !(v == 0 || (v >= f.lowest && v > 0 && v <= f.max)) {
		if f.lowest > 0 {
			return fmt.Errorf("augment: %s=%g: want 0, or %g to %g", f.word, v, f.lowest, f.max)
		}
		return fmt.Errorf("augment: %s=%g: want 0 to %g", f.word, v, f.max)
	}
	return nil
}

// Check tells what is out of range, and what would have no effect.
func (p Pipeline) Check() error {
	for _, f := range p.fields() {
		if err := f.check(f.get()); err != nil {
			return err
		}
	}
	if p.ZeroPad && p.Shift == 0 && p.Rotate == 0 && p.Scale == 0 {
		return idle.Errorf("augment", "augment: %s has no effect where nothing shifts, rotates or scales", wordZero)
	}
	return nil
}

// Size is the height and width of the result for images of h×w, and an error where a crop does not fit.
func (p Pipeline) Size(h, w int) (oh, ow int, err error) {
	switch {
	case p.Crop == 0:
		return h, w, nil
	case p.Crop > h || p.Crop > w:
		return 0, 0, fmt.Errorf("augment: crop=%d does not fit into images of %d×%d", p.Crop, h, w)
	}
	return p.Crop, p.Crop, nil
}
