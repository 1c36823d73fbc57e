// Package compare puts the figures of runs side by side.
package compare

import (
	"context"
	"errors"
	"path/filepath"

	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
)

// Comparison is one model of the study's table.
type Comparison struct {
	Run        string `json:"run"`
	Model      string `json:"model"`      // what it is, in words
	Parameters int    `json:"parameters"` // trained ones
	// BackboneParameters are those of the whole network below a head, and of the one whose blocks were tuned; 0 of runs
	// without a backbone, and of those of before they were recorded.
	BackboneParameters int64            `json:"backbone_parameters,omitempty"`
	MACs               int              `json:"macs"`        // multiply-accumulates for one example; of a head, and of a tuned network, without the backbone
	Epochs             int              `json:"epochs"`      // of its history; of several runs the most
	Seconds            float64          `json:"seconds"`     // per epoch, in the mean; 0 without a history
	History            []fit.Epoch      `json:"history"`     // empty for imported weights
	Reports            []metrics.Report `json:"evaluations"` // of all splits that were not trained on
	Notes              []string         `json:"notes"`
	Tests              []Test           `json:"tests"` // beside each of the other runs
	// Summary is of several runs of one setting, whose reports Reports are; nil of a single one.
	Summary []run.Spreads `json:"summary,omitempty"`

	answers map[string]answers // by split
}

// Read reads the figures of runs from their folders, and tests each two that judged
// the same rows of a split. Nothing is evaluated anew: an imported run has no
// accuracies until graft eval has judged it, and no epochs ever. A folder of several
// runs of one setting is one entry.
func Read(ctx context.Context, runs []string) ([]Comparison, error) {
	if len(runs) == 0 {
		return nil, errors.New("no runs to compare")
	}
	out := []Comparison{}
	for _, dir := range runs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		several, err := run.ReadSummary(dir)
		if err != nil {
			return nil, err
		}
		read := compareOne
		if several != nil {
			read = func(dir string) (Comparison, error) { return compareSeveral(dir, several) }
		}
		c, err := read(dir)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	addTests(out)
	return out, nil
}

func compareOne(dir string) (Comparison, error) {
	config, err := run.ReadConfig(dir)
	if err != nil {
		return Comparison{}, err
	}
	inspected := config.Net
	if t, ok := config.Net.(nets.Tail); ok {
		inspected = t.Head
	}
	layers, err := nets.Layers(inspected)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Run: filepath.ToSlash(filepath.Clean(dir)), Model: describe(config), Parameters: config.Parameters(), BackboneParameters: config.Backbone.Parameters,
		Notes: append([]string{}, config.Notes...), Tests: []Test{}}
	_, c.MACs = nets.Total(layers)
	if c.History, err = run.ReadHistory(dir); err != nil {
		return c, err
	}
	for _, e := range c.History {
		c.Epochs = max(c.Epochs, e.Number)
		c.Seconds += e.Seconds / float64(len(c.History))
	}
	if c.Reports, err = run.ReadMetrics(dir); err != nil {
		return c, err
	}
	return c, c.readAnswers(dir, config)
}

// describe is the model in a few words.
func describe(c run.Config) string {
	recipe := c.Head.Recipe
	if c.Training != nil {
		recipe = c.Training.Recipe
	}
	switch {
	case c.Imported != nil:
		recipe = "imported"
	case recipe == run.RecipeLBFGS:
		recipe += " (its epochs are iterations)"
	}
	text := c.Kind + ", " + recipe
	if c.Training != nil && c.Training.Augment.String() != "none" {
		text += ", " + c.Training.Augment.String()
	}
	if c.OnBackbone() && c.Backbone.Arch != "" {
		text += ", on " + c.Backbone.Arch
	}
	return text
}
