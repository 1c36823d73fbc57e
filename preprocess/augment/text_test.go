package augment

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Pipeline{
		"": {}, "none": {}, "hflip": {HFlip: 0.5}, "vflip=1": {VFlip: 1}, "pad=edge": {},
		"hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2":     {HFlip: 0.5, Shift: 0.1, Rotate: 10, Scale: 0.1, Cutout: 12, Mixup: 0.2},
		"crop=44, brightness=0.2, contrast=0.3, noise=0.02, pad=zero": {Crop: 44, Brightness: 0.2, Contrast: 0.3, Noise: 0.02, ZeroPad: true},
		"rotate=0": {},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"hfilp": `unknown word "hfilp", want some of hflip, vflip`, "hflip,,rotate=1": `unknown word ""`, "hflip,": `unknown word ""`,
		"rotate=10,rotate=10": `"rotate" is given twice`, "rotate": "rotate needs a number", "cutout": "cutout needs a number",
		"rotate=200": "rotate=200: want 0 to 180", "rotate=-1": "want 0 to 180", "rotate=NaN": "rotate=NaN: want", "rotate=x": "rotate=x is not a number",
		"rotate=": "rotate= is not a number", "cutout=1.5": "want a whole number of pixels", "cutout=-3": "want 0, or 1 to",
		"mixup=0.001": "want 0, or 0.01 to 1", "mixup=2": "want 0, or 0.01 to 1", "pad=mirror": "want pad=edge or pad=zero", "pad": "want pad=edge or pad=zero",
		"none,hflip": `unknown word "none"`, "scale=1": "want 0 to 0.9", "hflip=1e999": "is not a number",
	} {
		if p, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || p != (Pipeline{}) {
			t.Errorf("%q: %+v, error %v, want one with %q", text, p, err, want)
		}
	}
}

func TestJSON(t *testing.T) {
	p := Pipeline{HFlip: 0.25, Crop: 44, ZeroPad: true, Mixup: 0.2}
	data, err := json.Marshal(p)
	if err != nil || string(data) != `"hflip=0.25,crop=44,mixup=0.2,pad=zero"` {
		t.Errorf("%s, %v", data, err)
	}
	var again Pipeline
	if err := json.Unmarshal(data, &again); err != nil || again != p {
		t.Errorf("%+v, %v", again, err)
	}
}

// FuzzParse wants what was read to be written and read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "hflip", "hflip,shift=0.1,rotate=10,scale=0.1,cutout=12,mixup=0.2,pad=zero", "rotate=1e-300", "crop=0x10", "pad"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Errorf("%q was read but is out of range: %v", text, err)
		}
		if again, err := Parse(p.String()); err != nil || again != p {
			t.Errorf("%q became %q, and that %+v, %v", text, p, again, err)
		}
	})
}
