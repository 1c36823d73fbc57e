package finetune

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"graft/finetune/metrics"
	"graft/finetune/nets"
)

// Comparison is one model of the study's table.
type Comparison struct {
	Run        string           `json:"run"`
	Model      string           `json:"model"`       // what it is, in words
	Parameters int              `json:"parameters"`  // trained ones
	MACs       int              `json:"macs"`        // multiply-accumulates for one example; of a head without its backbone
	Epochs     int              `json:"epochs"`      // of its history
	Seconds    float64          `json:"seconds"`     // per epoch, in the mean; 0 without a history
	History    []Epoch          `json:"history"`     // empty for imported weights
	Reports    []metrics.Report `json:"evaluations"` // of all splits that were not trained on
	Notes      []string         `json:"notes"`
}

// Compare reads the figures of runs from their folders. Nothing is evaluated
// anew: a run without metrics.json, such as an imported one, has no accuracies
// until graft eval has judged it.
func Compare(ctx context.Context, runs []string) ([]Comparison, error) {
	if len(runs) == 0 {
		return nil, errors.New("no runs to compare")
	}
	out := []Comparison{}
	for _, dir := range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := compareOne(dir)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func compareOne(dir string) (Comparison, error) {
	config, err := readConfig(dir)
	if err != nil {
		return Comparison{}, err
	}
	net, err := config.network()
	if err != nil {
		return Comparison{}, err
	}
	layers, err := nets.Layers(net)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Run: filepath.ToSlash(filepath.Clean(dir)), Model: config.describe(), Parameters: nets.Parameters(net),
		Notes: append([]string{}, config.Notes...)}
	_, c.MACs = nets.Total(layers)
	if c.History, err = readHistory(filepath.Join(dir, historyFile)); err != nil {
		return c, err
	}
	for _, e := range c.History {
		c.Epochs = max(c.Epochs, e.Number)
		c.Seconds += e.Seconds / float64(len(c.History))
	}
	c.Reports, err = readMetrics(filepath.Join(dir, metricsFile))
	return c, err
}

// describe is the model in a few words.
func (c Config) describe() string {
	recipe := c.Head.Recipe
	if c.Training != nil {
		recipe = c.Training.Recipe
	}
	switch {
	case c.Imported != nil:
		recipe = "imported"
	case recipe == RecipeLBFGS:
		recipe += " (its epochs are iterations)"
	}
	text := c.Kind + ", " + recipe
	if c.Training != nil && c.Training.Augment.String() != "none" {
		text += ", " + c.Training.Augment.String()
	}
	if c.Kind == nets.KindHead && c.Backbone.Arch != "" {
		text += ", on " + c.Backbone.Arch
	}
	return text
}

// maxHistory bounds history.csv, and maxMetrics metrics.json.
const (
	maxHistory = 16 << 20
	maxMetrics = 64 << 20
)

// readHistory reads history.csv; a file that is not there has no epochs.
func readHistory(path string) ([]Epoch, error) {
	epochs := []Epoch{}
	data, err := readCapped(path, maxHistory)
	if err != nil || data == nil {
		return epochs, err
	}
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i, line := range lines {
		if i == 0 {
			continue
		}
		e, err := parseEpoch(line)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, i+1, err)
		}
		epochs = append(epochs, e)
	}
	return epochs, nil
}

func parseEpoch(line []string) (e Epoch, err error) {
	if len(line) != len(historyColumns) {
		return e, fmt.Errorf("%d columns, want %d", len(line), len(historyColumns))
	}
	if e.Number, err = strconv.Atoi(line[0]); err != nil {
		return e, err
	}
	for i, to := range []func(float64){
		func(v float64) { e.TrainLoss = v }, func(v float64) { e.ValidationLoss = &v },
		func(v float64) { e.ValidationAccuracy = &v }, func(v float64) { e.Seconds = v },
	} {
		text := line[i+1]
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !finite(v) {
			return e, fmt.Errorf("%s is %q, want a number", historyColumns[i+1], text)
		}
		to(v)
	}
	return e, nil
}

// readMetrics reads metrics.json; a file that is not there has no reports.
func readMetrics(path string) ([]metrics.Report, error) {
	reports := []metrics.Report{}
	data, err := readCapped(path, maxMetrics)
	if err != nil || data == nil {
		return reports, err
	}
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return reports, nil
}

// readCapped reads a whole file, nil if it is not there.
func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
