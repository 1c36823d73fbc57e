package finetune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"graft/finetune/fit"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/internal/atomicfile"
)

// EvalConfig says what to judge a run on.
type EvalConfig struct {
	Run         string                                     // the run's folder
	Embeddings  string                                     // of a head: a store made with the run's backbone; empty for the run's own
	Data        DataOptions                                // of a cnn or vit: the dataset; without a path the run's own
	Splits      []string                                   // none: public-test, and where there is none, all but train
	Predictions string                                     // folder for predictions-<split>.csv; empty for none
	Threads     int                                        // 0 for all cores
	Progress    func(label string) func(done, total int64) // may be nil
}

// Evaluation is a run's reports, one for each split.
type Evaluation struct {
	Reports []metrics.Report
	Notes   []string // what a reader of the figures must know
}

// Evaluate judges a run on splits of a store or dataset. It refuses a store
// that another backbone made, and other classes, and says what differs.
func Evaluate(ctx context.Context, c EvalConfig) (e Evaluation, err error) {
	r, err := OpenRun(c.Run)
	if err != nil {
		return e, err
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
	if c.Predictions != "" {
		if err := os.MkdirAll(c.Predictions, 0o755); err != nil {
			return e, err
		}
	}
	other, err := r.otherData(s)
	if err != nil {
		return e, err
	}
	e.Notes = append(r.Notes(), other...)
	e.Reports, err = r.evaluate(ctx, s, splits, c.Predictions, c.Threads)
	return e, err
}

// source opens what the run is judged on.
func (r *Run) source(ctx context.Context, c EvalConfig) (source, error) {
	if r.Config.Kind == nets.KindHead {
		if c.Data.Path != "" {
			return nil, fmt.Errorf("run %s is a head: it is judged on embeddings (--embeddings), not on --data", r.Dir)
		}
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
func (r *Run) otherData(s source) ([]string, error) {
	name, fingerprint, err := s.identity()
	if err != nil || fingerprint == r.Config.Dataset.Fingerprint || r.Config.Dataset.Fingerprint == "" {
		return nil, err
	}
	return []string{fmt.Sprintf("Evaluated on other images (%s) than the run was made with (%s).", name, r.Config.Dataset.Name)}, nil
}

// judgedBatch is how many samples are judged at once.
const judgedBatch = 128

// evaluate judges the run on splits, one at a time so that only one split's
// samples are in memory, and writes the predictions to dir unless it is empty.
func (r *Run) evaluate(ctx context.Context, s source, splits []string, dir string, threads int) ([]metrics.Report, error) {
	reports := []metrics.Report{} // [] in JSON, not null
	e, err := r.evaluator(judgedBatch, threads)
	if err != nil {
		return nil, err
	}
	for _, split := range splits {
		samples, rows, err := s.load(ctx, split)
		if err != nil {
			return nil, err
		}
		report, probs, err := r.judge(ctx, e, samples, rows)
		if err != nil {
			return nil, fmt.Errorf("run %s, split %s: %w", r.Dir, split, err)
		}
		report.Split = split
		reports = append(reports, report)
		if dir == "" {
			continue
		}
		if err := writePredictions(dir, split, r.Config.Classes, rows, probs); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

func (r *Run) judge(ctx context.Context, e *fit.Evaluator, samples fit.Examples, f rows) (metrics.Report, []float32, error) {
	k := len(r.Config.Classes)
	logits, err := e.Logits(ctx, samples, nil)
	if err != nil {
		return metrics.Report{}, nil, err
	}
	probs := fit.Probabilities(logits, k)
	report, err := metrics.Evaluate(probs, f.labels, r.Config.Classes)
	report.Run = filepath.ToSlash(filepath.Clean(r.Dir))
	if err == nil {
		report.Loss, _ = fit.Score(logits, f.labels, k)
	}
	return report, probs, err
}

func writeMetrics(dir string, reports []metrics.Report) error {
	data, err := json.MarshalIndent(reports, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, metricsFile), err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, metricsFile), append(data, '\n'))
}
