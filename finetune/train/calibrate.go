package train

import (
	"context"
	"slices"

	"graft/finetune/fit"
	"graft/finetune/head"
	"graft/finetune/load"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/plural"
)

// heldOut is what a model says of rows of train that it was not trained on.
type heldOut struct {
	rows   []int     // their numbers in train
	logits []float32 // [len(rows),classes]
}

// judgedBatch is how many of them are judged at once.
const judgedBatch = 128

// ask fills the logits in.
func (h *heldOut) ask(ctx context.Context, net nets.Net, weights map[string][]float32, samples fit.Examples, threads int) error {
	e, err := fit.NewEvaluator(net, judgedBatch, threads)
	if err == nil {
		err = e.Use(weights)
	}
	if err == nil {
		h.logits, err = e.Logits(ctx, samples, nil)
	}
	return err
}

// askChosen fills in what the head of the chosen penalty, fitted to the other rows, says of
// the images that were held out; it averages both views of an image as judging does.
func (h *heldOut) askChosen(ctx context.Context, sel head.Selection, f load.Features, threads int) error {
	x, images := f.Examples()
	h.rows = slices.DeleteFunc(slices.Clone(sel.Held), func(row int) bool { return row >= len(images.Labels) }) // mirrored ones lie below
	net, weights := linearNet(sel.Head)
	return h.ask(ctx, net, weights, x.Rows(h.rows), threads)
}

// calibrate fits the run's temperature to held-out rows of train, all of whose rows
// are given, and keeps the predictions of them. Without any the temperature is 1.
func (h heldOut) calibrate(r *run.Run, train run.Rows, o Observer) error {
	r.Config.Temperature = 1
	if len(h.rows) == 0 {
		o.log("temperature 1: no rows of train were held out to fit one on")
		return nil
	}
	held, classes := train.At(h.rows), len(r.Config.Classes)
	t, ok := fit.Temperature(h.logits, held.Labels, classes)
	before, _ := fit.Score(h.logits, held.Labels, classes)
	cooled := fit.Cool(h.logits, t)
	after, _ := fit.Score(cooled, held.Labels, classes)
	r.Config.Temperature = t
	r.Config.Calibration = &run.CalibrationRecord{Rows: len(h.rows), Loss: after, Uncalibrated: before}
	if ok {
		o.log("temperature %.4g, fitted on %s of train held out: loss %.4f there, %.4f without", t, plural.Of(len(h.rows), "row"), after, before)
	} else {
		o.log("temperature 1: the %s held out tell none, being all predicted right, or no better than by chance", plural.Of(len(h.rows), "row"))
	}
	return run.WriteHeldOut(r.Dir, r.Config.Classes, held, fit.Probabilities(cooled, classes))
}
