package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/internal/atomicfile"
)

// EvalConfig says what to judge a run on.
type EvalConfig struct {
	Run         string                                     // the run's folder, or a file that Export wrote
	Embeddings  string                                     // of a head: a store made with the run's backbone; empty for the run's own
	Data        DataOptions                                // the dataset; without a path that of a cnn's or vit's run, and the embeddings of a head
	Options     PredictorOptions                           // of a head or an exported file on images; of others only the threads
	Batch       int                                        // of the same: images per inference; 0 means what suits the model
	Splits      []string                                   // none: public-test, and where there is none, all but train
	Predictions string                                     // folder for predictions-<split>.csv; empty for none
	Progress    func(label string) func(done, total int64) // may be nil
}

// Evaluation is a model's reports, one for each split.
type Evaluation struct {
	Reports []metrics.Report
	Notes   []string // what a reader of the figures must know
}

// Evaluate judges a run on splits of a store or dataset. It refuses a store or a
// backbone other than the run's, and other classes, and says what differs. A
// head with a dataset, and an exported file, are judged straight from the
// images, which pass in batches: memory does not grow with their number.
func Evaluate(ctx context.Context, c EvalConfig) (e Evaluation, err error) {
	if info, err := os.Stat(c.Run); err == nil && !info.IsDir() {
		return evaluateShipped(ctx, c)
	}
	r, err := OpenRun(c.Run)
	if err != nil {
		return e, err
	}
	if r.Config.Kind == nets.KindHead && c.Data.Path != "" {
		return r.evaluateImages(ctx, c)
	}
	s, err := r.source(ctx, c)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	splits, err := s.splits().judged(c.Splits)
	if err != nil {
		return e, err
	}
	other, err := r.otherData(s.identity(ctx))
	if err != nil {
		return e, err
	}
	e.Notes = slices.Concat(r.Notes(), s.notes(), other)
	e.Reports, err = r.evaluate(ctx, s, splits, c.Predictions, c.Options.Runtime.Threads)
	return e, err
}

// source opens what the run is judged on.
func (r *Run) source(ctx context.Context, c EvalConfig) (source, error) {
	if r.Config.Kind == nets.KindHead {
		s, err := r.openStore(c.Embeddings)
		return storeSource{r, s}, err
	}
	if c.Embeddings != "" {
		return nil, fmt.Errorf("run %s is a %s: it is judged on images (--data), not on embeddings", r.Dir, r.Config.Kind)
	}
	d, err := r.openData(ctx, c.Data, c.Progress)
	limit := r.Config.Dataset.Limit
	if c.Data.Path != "" {
		limit = 0
	}
	return imageSource{d, r.Net.InputShape(), *r.Config.Pixels, limit}, err
}

// otherData says so when the images are not those of the run.
func (r *Run) otherData(name, fingerprint string, err error) ([]string, error) {
	if err != nil || fingerprint == r.Config.Dataset.Fingerprint || r.Config.Dataset.Fingerprint == "" {
		return nil, err
	}
	return []string{fmt.Sprintf("Evaluated on other images (%s) than the run was made with (%s).", name, r.Config.Dataset.Name)}, nil
}

// judgedBatch is how many samples are judged at once.
const judgedBatch = 128

// evaluate judges the run on splits and writes the predictions to dir unless it
// is empty.
func (r *Run) evaluate(ctx context.Context, s source, splits []string, dir string, threads int) ([]metrics.Report, error) {
	e, err := r.evaluator(judgedBatch, threads)
	if err != nil {
		return nil, err
	}
	return judge(runName(r.Dir), r.Config.Classes, splits, dir, func(split string) (a answers, err error) {
		var samples fit.Examples
		if samples, a.rows, err = s.load(ctx, split); err != nil {
			return a, err
		}
		logits, err := e.Logits(ctx, samples, nil)
		return a.ofLogits(logits, len(r.Config.Classes)), err
	})
}

func runName(path string) string { return filepath.ToSlash(filepath.Clean(path)) }

// answers are what a model says of a split's samples.
type answers struct {
	rows
	probs []float32 // [n,classes]
	// logits are what probs are the softmax of, nil where they are not: the loss
	// of a probability that became 0 in float32 is told by its logit.
	logits []float32
}

func (a answers) ofLogits(logits []float32, classes int) answers {
	a.logits, a.probs = logits, fit.Probabilities(logits, classes)
	return a
}

// judge reports on what ask answers, split after split, so that only one
// split's samples are in memory, and writes the predictions to dir unless it is
// empty.
func judge(name string, classes, splits []string, dir string, ask func(split string) (answers, error)) ([]metrics.Report, error) {
	reports := []metrics.Report{} // [] in JSON, not null
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	for _, split := range splits {
		a, err := ask(split)
		if err != nil {
			return nil, err
		}
		report, err := metrics.Evaluate(a.probs, a.labels, classes)
		if err != nil {
			return nil, fmt.Errorf("%s, split %s: %w", name, split, err)
		}
		if a.logits != nil {
			report.Loss, _ = fit.Score(a.logits, a.labels, len(classes))
		}
		report.Run, report.Split = name, split
		reports = append(reports, report)
		if dir == "" {
			continue
		}
		if err := writePredictions(dir, split, classes, a.rows, a.probs); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

func writeMetrics(dir string, reports []metrics.Report) error {
	data, err := json.MarshalIndent(reports, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, metricsFile), err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, metricsFile), append(data, '\n'))
}
