package run

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/internal/atomicfile"
	"graft/internal/schema"
)

// runFormat marks config.json as a run's; it changes when older programs could
// misread what newer ones write.
const runFormat = "graft-run-1"

// RandomNote is what outputs say of a backbone whose source is random:SEED, and
// empty for any other.
func RandomNote(source string) string {
	seed, ok := strings.CutPrefix(source, "random:")
	if !ok {
		return ""
	}
	return fmt.Sprintf("No pretrained weights were used: the backbone's weights were drawn at random (seed %s). Its accuracy says nothing about a pretrained one.", seed)
}

// Pretrained tells by a backbone's source whether its weights are those of a
// checkpoint; nil is not known, of a file that graft did not export.
func Pretrained(source string) *bool {
	if source == "" {
		return nil
	}
	return new(RandomNote(source) == "")
}

// NewConfig is what every config.json begins with.
func NewConfig(kind string, by Program, seed uint64, classes []string) Config {
	return Config{Format: runFormat, Kind: kind, Program: by, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Seed: seed, Classes: classes}
}

// writeJSON writes a file of a run folder in a format such as graft-run-1.
func writeJSON(path, format string, v any) error {
	data, err := schema.Marshal(format, v, "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.WriteFile(path, data)
}

// maxConfig bounds config.json; a thousand classes and 4,992 features come to a
// few dozen kilobytes.
const maxConfig = 16 << 20

// ReadConfig reads and checks dir's config.json.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, configFile)
	var c Config
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return c, fmt.Errorf("%s is a file, want a run's folder", dir)
	}
	data, err := readCapped(path, maxConfig)
	if err == nil && data == nil {
		err = noRun(dir)
	}
	if err != nil {
		return c, err
	}
	if c, err = parseConfig(data); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// noRun says what a folder without a config.json is.
func noRun(dir string) error {
	s, err := ReadSummary(dir)
	if err == nil && s != nil {
		err = fmt.Errorf("%s holds several runs (%s), want one of them: %s", dir, strings.Join(s.Runs, ", "), filepath.Join(dir, s.By+"-NUMBER"))
	}
	return cmp.Or(err, fmt.Errorf("%s is no run folder: it has no %s (graft train writes one when it is done)", dir, configFile))
}

func parseConfig(data []byte) (Config, error) {
	var c Config
	read := struct {
		*Config
		Net json.RawMessage `json:"model"` // what it is follows from the kind
	}{Config: &c}
	if err := json.Unmarshal(data, &read); err != nil {
		return c, err
	}
	return c, c.check(read.Net)
}

// maxFeatures caps the width of a tap and of a head, and the number of classes,
// that a config.json may claim.
const maxFeatures = 1 << 20

// check makes the network of its options, and refuses what later code would trip
// over.
func (c *Config) check(options []byte) (err error) {
	switch {
	case c.Format != runFormat:
		return fmt.Errorf("format %q, this program reads %q", c.Format, runFormat)
	case !slices.Contains(kinds, c.Kind):
		return fmt.Errorf("a run of kind %q, this program knows %s", c.Kind, strings.Join(kinds, ", "))
	case !(c.Temperature == 0 || c.Temperature >= fit.MinTemperature && c.Temperature <= fit.MaxTemperature):
		return fmt.Errorf("temperature %g, want %g to %g", c.Temperature, fit.MinTemperature, fit.MaxTemperature)
	case len(c.Classes) < 2 || len(c.Classes) > maxFeatures:
		return fmt.Errorf("%d classes, want 2 to %d", len(c.Classes), maxFeatures)
	}
	if c.Net, err = nets.New(c.Kind, options); err != nil {
		return err
	}
	if c.Net.Classes() != len(c.Classes) {
		return fmt.Errorf("the model has %d outputs for %d classes", c.Net.Classes(), len(c.Classes))
	}
	switch net := c.Net.(type) {
	case nets.Head:
		return c.checkHead(net.Features)
	case nets.Tail:
		return c.checkHead(net.Head.Features)
	}
	return c.Pixels.Check(c.Net.InputShape())
}

var kinds = []string{nets.KindHead, nets.KindCNN, nets.KindViT, nets.KindBackbone}

// OnBackbone tells runs that read a backbone's features: heads, and backbones that were tuned with theirs.
func (c Config) OnBackbone() bool { return c.Kind == nets.KindHead || c.Kind == nets.KindBackbone }

// checkHead wants the taps to make up the network's features.
func (c Config) checkHead(features int) error {
	if len(c.Head.Taps) == 0 {
		return errors.New("no taps, want at least one")
	}
	sum := 0
	for _, t := range c.Head.Taps {
		d := c.Backbone.Dims[t]
		if d < 1 || d > maxFeatures {
			return fmt.Errorf("tap %q has %d features, want 1 to %d", t, d, maxFeatures)
		}
		sum += d
	}
	if sum != c.Head.Dim || sum != features {
		return fmt.Errorf("taps %s have %d features together, the head wants %d and its model %d", strings.Join(c.Head.Taps, ","), sum, c.Head.Dim, features)
	}
	return nil
}
