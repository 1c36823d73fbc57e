package preprocess

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Bilinear is the one Filter there is.
const Bilinear = "bilinear"

// MaxSide is the largest side of a network's input, pixels.
const MaxSide = 1 << 14

// Spec is all that lies between an image and what is read of a frozen network:
// the same file and equal Specs give the same features. Its JSON is also read
// from the line that String makes, which is what older files hold.
type Spec struct {
	// Host tells where images are brought to Size: in the graph of graft's own
	// files, in float32 and without antialiasing, once images that are larger or
	// not of its shape have been cut to it; or, of other models, all of them cut to
	// it, in 8 bits.
	Host     bool    `json:"host,omitempty"`
	Size     int     `json:"size"`            // side, or height, of the network's input, pixels
	Width    int     `json:"width,omitempty"` // of an oblong one, else 0
	Filter   string  `json:"filter"`
	Crop     float64 `json:"crop"` // part of the shorter side that a cut keeps, MinCropPct to 1
	Channels int     `json:"channels"`
	Normalization
	// Of other models: the output's name, and what makes one row of its tokens.
	Output string `json:"output,omitempty"`
	Pool   string `json:"pool,omitempty"`
}

// Check refuses what no network can have been trained with.
func (s Spec) Check() error {
	switch {
	case s.Size < 1 || s.Size > MaxSide:
		return fmt.Errorf("input of %d pixels a side, wanted 1 to %d", s.Size, MaxSide)
	case s.Width < 0 || s.Width > MaxSide:
		return fmt.Errorf("input of %d pixels across, wanted 1 to %d, or 0 for a square", s.Width, MaxSide)
	case s.Filter != Bilinear:
		return fmt.Errorf("filter %q, wanted %s", s.Filter, Bilinear)
	case !(s.Crop >= MinCropPct && s.Crop <= 1):
		return fmt.Errorf("crop is %v, wanted %g to 1", s.Crop, MinCropPct)
	case s.Channels != 1 && s.Channels != 3:
		return fmt.Errorf("%d channels, wanted 1 or 3", s.Channels)
	}
	return s.Normalization.Check()
}

// ParseSize reads a side of pixels, or a height and a width (HxW); width is 0 where
// both are the same.
func ParseSize(s string) (height, width int, err error) {
	h, w, oblong := strings.Cut(s, "x")
	height, err = strconv.Atoi(h)
	if err == nil && oblong {
		width, err = strconv.Atoi(w)
	}
	if err != nil || height < 1 || height > MaxSide || oblong && (width < 1 || width > MaxSide) {
		return 0, 0, fmt.Errorf("%q is no size: want pixels like 224, or height and width like 256x128, each from 1 to %d", s, MaxSide)
	}
	if width == height {
		width = 0
	}
	return height, width, nil
}

// FormatSize is the inverse of ParseSize.
func FormatSize(height, width int) string {
	if width == 0 {
		return strconv.Itoa(height)
	}
	return fmt.Sprintf("%dx%d", height, width)
}

// Cut brings an image to the input's shape where the graph does not: see Host.
func (s Spec) Cut(im Image) Image {
	h, w := s.Size, cmp.Or(s.Width, s.Size)
	if !s.Host && im.H*w == im.W*h && im.H <= h {
		return im
	}
	return cut(im, h, w, s.Crop)
}

// String is one line for people.
func (s Spec) String() string {
	if s.Width != 0 {
		return fmt.Sprintf("%s to %s in the graph; mean %s; std %s; images larger or of another shape first on the host: until they cover it, of which %v is kept, centre cut",
			s.Filter, FormatSize(s.Size, s.Width), triple(s.Mean), triple(s.Std), s.Crop)
	}
	if s.Host {
		return fmt.Sprintf("on the host: 8-bit %s to %d, crop %v, %d channels; mean %v; std %v; output %s, pooling %q",
			s.Filter, s.Size, s.Crop, s.Channels, s.Mean, s.Std, s.Output, s.Pool)
	}
	return fmt.Sprintf("%s to %d in the graph; mean %s; std %s; images larger or not square first on the host: shorter side to %d/%v, centre cut",
		s.Filter, s.Size, triple(s.Mean), triple(s.Std), s.Size, s.Crop)
}

// The lines of String, which were all that stores and runs recorded once.
var (
	hostLine  = regexp.MustCompile(`^on the host: 8-bit (\w+) to (\d+), crop (\S+), (\d+) channels; mean \[(.*)\]; std \[(.*)\]; output (.*), pooling "(\w*)"$`)
	graphLine = regexp.MustCompile(`^(\w+) to (\d+) in the graph; mean (\S+); std (\S+); images larger or not square first on the host: shorter side to \d+/(\S+), centre cut$`)
)

// parseSpec is the inverse of String.
func parseSpec(line string) (Spec, error) {
	var s Spec
	var size, crop, mean, std string
	channels := "3" // the graph makes them of gray
	if m := hostLine.FindStringSubmatch(line); m != nil {
		s.Host, s.Filter, s.Output, s.Pool = true, m[1], m[7], m[8]
		size, crop, channels, mean, std = m[2], m[3], m[4], strings.ReplaceAll(m[5], " ", ","), strings.ReplaceAll(m[6], " ", ",")
	} else if m := graphLine.FindStringSubmatch(line); m != nil {
		s.Filter, size, mean, std, crop = m[1], m[2], m[3], m[4], m[5]
	}
	s.Size, _ = strconv.Atoi(size)
	s.Channels, _ = strconv.Atoi(channels)
	s.Crop, _ = strconv.ParseFloat(crop, 64)
	// What was not understood shows here.
	if !parseTriple(mean, &s.Mean) || !parseTriple(std, &s.Std) || s.String() != line {
		return Spec{}, fmt.Errorf("preprocessing %q is none that graft writes", line)
	}
	return s, nil
}

// UnmarshalJSON reads an object, also with the names of older model files, or
// the line of older stores and runs.
func (s *Spec) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		var line string
		err := json.Unmarshal(data, &line)
		if err == nil {
			*s, err = parseSpec(line)
		}
		return err
	}
	type plain Spec
	return json.Unmarshal(data, &struct {
		*plain
		InputSize *int
		CropPct   *float64
	}{(*plain)(s), &s.Size, &s.Crop})
}
