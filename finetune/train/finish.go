package train

import (
	"context"

	"graft/finetune/fit"
	"graft/finetune/judge"
	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
)

// fitted is what a recipe gives back.
type fitted struct {
	net      nets.Net
	weights  map[string][]float32
	last     map[string][]float32 // the last weights, where others were kept
	record   run.HeadRecord       // of L-BFGS: its part of it
	training *run.TrainingRecord  // of gradient descent
	history  []fit.Epoch
	notes    []string
}

// Result is a run just trained.
type Result struct {
	Run     *run.Run
	Reports []metrics.Report // of every split that was not trained on
}

// finish completes a run with what was learned, judges it on all splits of s
// that were not trained on, and writes its folder.
func finish(ctx context.Context, r *run.Run, f fitted, s load.Source, threads int) (Result, error) {
	r.Config.Net, r.Weights = f.net, f.weights
	r.Config.Notes = append(r.Config.Notes, f.notes...)
	r.Config.Training = f.training
	reports, err := judge.Splits(ctx, r, s, s.Splits().HeldOut(), r.Dir, threads)
	if err != nil {
		return Result{}, err
	}
	return Result{r, reports}, r.Save(run.Results{History: f.history, Reports: reports, Last: f.last})
}
