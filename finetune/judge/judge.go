// Package judge asks a model about rows whose labels are known, and makes reports of its answers.
package judge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/preprocess/dataset"
	"graft/preprocess/duplicate"
)

// Config says what to judge a run on.
type Config struct {
	Run         string        // the run's folder, or a file that package ship wrote
	Embeddings  string        // of a head: a store made with the run's backbone; empty for the run's own
	Data        dataset.Ref   // the dataset; without a path that of a cnn's or vit's run, and the embeddings of a head
	Options     model.Options // of a head or an exported file on images; of others only the threads
	Batch       int           // of the same: images per inference; 0 means what suits the model
	Splits      []string      // none: public-test, and where there is none, all but train
	Predictions string        // folder for predictions-<split>.csv; empty for none
	Conformal   float64       // of a run: coverage of the prediction sets to judge, below 1; 0 for none
	Limit       int           // images of each split that are judged, where images are; 0 for all
	Progress    load.Progress
}

// Evaluation is a model's reports, one for each split.
type Evaluation struct {
	Reports []metrics.Report
	Notes   []string // what a reader of the figures must know
}

// Evaluate judges a run on splits of a store or dataset. It refuses a store or a
// backbone other than the run's, and other classes, and says what differs. An
// imported run, which no training judged, keeps the reports for package compare. A
// head with a dataset, and an exported file, are judged straight from the
// images, which pass in batches: memory does not grow with their number.
func Evaluate(ctx context.Context, c Config) (e Evaluation, err error) {
	if info, err := os.Stat(c.Run); err == nil && !info.IsDir() {
		return evaluateImages(ctx, nil, c)
	}
	r, err := run.Open(c.Run)
	if err != nil {
		return e, err
	}
	if r.Config.Kind == nets.KindBackbone && c.Data.Path == "" {
		c.Data, c.Limit = r.Config.Dataset.Ref, r.Config.Dataset.Limit
		if !c.Data.Exists() {
			return e, fmt.Errorf("the dataset that run %s was trained on is not at %s any more; name one with --data", r.Dir, c.Data.Path)
		}
	}
	if r.Config.OnBackbone() && (c.Data.Path != "" || r.Config.Kind == nets.KindBackbone) {
		return evaluateImages(ctx, r, c)
	}
	s, err := load.Open(ctx, r, c.Embeddings, c.Data, c.Progress)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	splits, err := s.Splits().Judged(c.Splits)
	if err != nil {
		return e, err
	}
	other, err := otherData(ctx, r, s)
	if err != nil {
		return e, err
	}
	sets, err := conformalSets(r, c.Conformal)
	if err != nil {
		return e, err
	}
	seen, err := run.ReadSeen(r.Dir)
	if err != nil {
		return e, err
	}
	m, err := recall(ctx, seen, s)
	if err != nil {
		return e, err
	}
	e.Notes = slices.Concat(r.Config.Notes, s.Notes(), other, m.notes())
	e.Reports, err = judgeRun(ctx, r, s, m, splits, c.Predictions, c.Options.Runtime.Threads, sets)
	if err == nil && r.Config.Imported != nil { // no training left it figures
		if failed := run.KeepReports(r.Dir, e.Reports); failed != nil {
			e.Notes = append(e.Notes, fmt.Sprintf("The figures are not kept in the run: %v.", failed))
		}
	}
	return e, err
}

// otherData says so when the images are not those of the run.
func otherData(ctx context.Context, r *run.Run, s load.Source) ([]string, error) {
	name, fingerprint, err := s.Identity(ctx)
	if had := r.Config.Dataset; err == nil && fingerprint != had.Fingerprint && had.Fingerprint != "" {
		return []string{fmt.Sprintf("Evaluated on other images (%s) than the run was made with (%s).", name, had.Name)}, nil
	}
	return nil, err
}

// judgedBatch is how many samples are judged at once.
const judgedBatch = 128

// Splits judges a run just trained, on the seen images (nil where they are not
// known), on splits of a source, and writes the predictions to its folder.
func Splits(ctx context.Context, r *run.Run, s load.Source, seen []duplicate.Content, splits []string, threads int) ([]metrics.Report, error) {
	m, err := recall(ctx, seen, s)
	if err != nil {
		return nil, err
	}
	return judgeRun(ctx, r, s, m, splits, r.Dir, threads, nil)
}

func judgeRun(ctx context.Context, r *run.Run, s load.Source, m memory, splits []string, dir string, threads int, sets *metrics.Sets) ([]metrics.Report, error) {
	e, err := model.Evaluator(r, judgedBatch, threads)
	if err != nil {
		return nil, err
	}
	return judge(runName(r.Dir), m, r.Config.Classes, splits, dir, func(split string) (a answers, err error) {
		var samples fit.Examples
		if samples, a.Rows, err = s.Load(ctx, split); err != nil {
			return a, err
		}
		logits, err := e.Logits(ctx, samples, nil)
		a.sets = sets
		return a.ofLogits(logits, len(r.Config.Classes), r.Config.SoftmaxTemperature()), err
	})
}

func runName(path string) string { return filepath.ToSlash(filepath.Clean(path)) }

// answers are what a model says of a split's samples.
type answers struct {
	run.Rows
	probs  []float32 // [n,classes]
	losses []float64 // of the logits that probs are the softmax of, nil where there are none

	temperature float64          // of that softmax, 0 where there is none
	raw         *metrics.Answers // at temperature 1, nil where that is the same
	sets        *metrics.Sets    // to be judged, if any
}

func (a answers) ofLogits(logits []float32, classes int, temperature float64) answers {
	at := func(temperature float64) metrics.Answers {
		cooled := fit.Cool(logits, temperature)
		return metrics.Answers{Probs: fit.Probabilities(cooled, classes), Labels: a.Labels, Losses: fit.Losses(cooled, a.Labels, classes)}
	}
	now := at(temperature)
	a.probs, a.losses, a.temperature = now.Probs, now.Losses, temperature
	if temperature != 1 {
		a.raw = new(at(1))
	}
	return a
}

// report makes the figures of a split; basis says how it is known which rows were seen.
func (a answers) report(classes []string, basis string) (metrics.Report, error) {
	m := metrics.Answers{Probs: a.probs, Labels: a.Labels, Losses: a.losses, Groups: a.Groups}
	r, err := m.Evaluate(classes)
	if err != nil {
		return r, err
	}
	r.Temperature, r.Clean = a.temperature, m.Clean(len(classes), a.Seen, basis)
	if a.raw != nil {
		a.raw.Groups = a.Groups
		raw, err := a.raw.Calibration(len(classes))
		if err != nil {
			return r, err
		}
		r.Uncalibrated = &raw
	}
	if a.sets != nil {
		r.Conformal, err = a.sets.Judge(m, len(classes), a.Seen)
	}
	return r, err
}

// conformalSets are those of a level that the run's held-out rows give, nil for level 0.
func conformalSets(r *run.Run, level float64) (*metrics.Sets, error) {
	if level == 0 {
		return nil, nil
	}
	held, err := run.ReadHeldOut(r.Dir, r.Config.Classes)
	if err == nil && held == nil {
		err = fmt.Errorf("run %s has no predictions of held-out rows, which sets of classes are fitted on: train it anew with a hold-out "+
			"(train head holds a tenth out where it chooses λ; --holdout 0.1 does so for gradient descent)", r.Dir)
	}
	if err != nil {
		return nil, err
	}
	sets, err := metrics.NewSets(metrics.Answers{Probs: held.Probs, Labels: held.Labels}, len(r.Config.Classes), level)
	return &sets, err
}

// judge reports on what ask answers, split after split, so that only one
// split's samples are in memory, and writes the predictions to dir unless it is
// empty.
func judge(name string, m memory, classes, splits []string, dir string, ask func(split string) (answers, error)) ([]metrics.Report, error) {
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
		a.Rows = m.mark(a.Rows)
		report, err := a.report(classes, m.basis)
		if err != nil {
			return nil, fmt.Errorf("%s, split %s: %w", name, split, err)
		}
		report.Run, report.Split = name, split
		reports = append(reports, report)
		if dir == "" {
			continue
		}
		if err := run.WritePredictions(dir, split, classes, a.Rows, a.probs); err != nil {
			return nil, err
		}
	}
	return reports, nil
}
