package train

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/finetune/fit"
	"graft/finetune/judge"
	"graft/finetune/load"
	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/idle"
	"graft/preprocess/augment"
)

// checkIdle names an option of a network that would have no effect. Runs that
// have one from earlier open nevertheless.
func checkIdle(net nets.Net) error {
	switch n := net.(type) {
	case nets.CNN:
		if n.Arch == nets.ArchStudy && (n.Dropout != 0 || n.Standardize) {
			return idle.Errorf("dropout standardize", "dropout %g, standardize %v: arch %s has neither, only %s has", n.Dropout, n.Standardize, n.Arch, nets.ArchResidual)
		}
	case nets.Head:
		if n.Hidden == 0 && n.Dropout != 0 {
			return idle.Errorf("dropout", "dropout %g is of a hidden layer, and there is none", n.Dropout)
		}
	}
	return nil
}

// recipe is how a kind of network is trained unless told otherwise.
type recipe struct {
	net     nets.Net         // without what the data decides: classes, and features of a head
	pixels  run.PixelsRecord // of cnn and vit
	augment augment.Pipeline
	fit     fit.Config
}

// faceSide is FER2013's: faces of 48×48 pixels.
const faceSide = 48

var studyFit = fit.Config{Epochs: 10, Batch: 32, Optimizer: fit.Adam, LearningRate: 1e-4, Schedule: fit.Constant}

// recipes are the defaults by kind and name. What a head's features and a
// network's classes are is known when the data is.
var recipes = map[string]map[string]recipe{
	nets.KindCNN: {
		run.RecipeStudy: {
			net:    nets.StudyCNN(0),
			pixels: run.PixelsRecord{Side: faceSide, Fit: run.FitResize}, fit: studyFit,
		},
		run.RecipeStrong: {
			net:     nets.StrongCNN(0),
			pixels:  run.PixelsRecord{Side: faceSide, Fit: run.FitCrop, Mirror: true},
			augment: augment.Pipeline{HFlip: 0.5, Rotate: 10, Scale: 0.1, Crop: 44, Cutout: 12},
			fit: fit.Config{Epochs: 36, Batch: 64, Optimizer: fit.AdamW, LearningRate: 2e-3, WeightDecay: 0.05,
				Schedule: fit.Cosine, Warmup: 2, Smoothing: 0.1, EMA: 0.999},
		},
	},
	nets.KindViT: {
		run.RecipeStudy: {
			net:    nets.StudyViT(0),
			pixels: run.PixelsRecord{Side: faceSide, Fit: run.FitResize}, fit: studyFit,
		},
		run.RecipeStrong: {
			net:     nets.StrongViT(0),
			pixels:  run.PixelsRecord{Side: faceSide, Fit: run.FitResize, Mirror: true},
			augment: augment.Pipeline{HFlip: 0.5, Shift: 0.08, Rotate: 10, Scale: 0.1, Cutout: 12},
			fit: fit.Config{Epochs: 50, Batch: 64, Optimizer: fit.AdamW, LearningRate: 1e-3, WeightDecay: 0.05,
				Schedule: fit.Cosine, Warmup: 3, Clip: 1, Smoothing: 0.1, EMA: 0.999},
		},
	},
	nets.KindHead: {
		run.RecipeStudy: {net: nets.Head{}, fit: studyFit},
		run.RecipeStrong: {
			net: nets.Head{Hidden: 512, Members: 4, DropoutIn: 0.2, Dropout: 0.25, Standardize: true},
			fit: fit.Config{Epochs: 25, Batch: 256, Optimizer: fit.AdamW, LearningRate: 1e-3, WeightDecay: 0.2,
				Schedule: fit.Cosine, Warmup: 2, Smoothing: 0.1},
		},
	},
}

func findRecipe(kind, name string) (recipe, error) {
	r, ok := recipes[kind][name]
	if !ok {
		names := slices.Sorted(maps.Keys(recipes[kind]))
		if kind == nets.KindHead {
			names = append([]string{run.RecipeLBFGS}, names...)
		}
		return r, fmt.Errorf("recipe %q of a %s; known are %s", name, kind, strings.Join(names, ", "))
	}
	return r, nil
}

// fitted is what a recipe gives back.
type fitted struct {
	net      nets.Net
	weights  map[string][]float32
	last     map[string][]float32 // the last weights, where others were kept
	samples  int                  // rows trained on
	strength run.HeadRecord       // of L-BFGS: the penalty and its numbers, nothing else
	training *run.TrainingRecord  // of gradient descent
	history  []fit.Epoch
	held     heldOut // rows that the weights, or those of the chosen penalty, were not trained on
	notes    []string
}

// record completes what was known of a head before its training.
func (f fitted) record(known run.HeadRecord) run.HeadRecord {
	net := f.net.(nets.Head)
	known.Dim, known.Standardize, known.Samples = net.Features, net.Standardize, f.samples
	known.Lambda, known.LambdaFrom, known.Tried, known.Settings = f.strength.Lambda, f.strength.LambdaFrom, f.strength.Tried, f.strength.Settings
	return known
}

// Result is a run just trained.
type Result struct {
	Run     *run.Run
	Reports []metrics.Report // of every split that was not trained on
}

// finish completes a run with what was learned, calibrates it, judges it on all splits of s
// that were not trained on, and writes its folder. trained are the rows that it was
// trained or chosen on.
func finish(ctx context.Context, r *run.Run, f fitted, trained run.Rows, s load.Source, threads int, o Observer) (Result, error) {
	return complete(r, f, trained, o, func() ([]metrics.Report, error) {
		return judge.Splits(ctx, r, s, trained.Contents, s.Splits().HeldOut(), threads)
	})
}

// complete is finish of a run that is judged in a way of its own.
func complete(r *run.Run, f fitted, trained run.Rows, o Observer, judged func() ([]metrics.Report, error)) (Result, error) {
	r.Config.Net, r.Weights = f.net, f.weights
	r.Config.Notes = append(r.Config.Notes, f.notes...)
	r.Config.Training = f.training
	if err := f.held.calibrate(r, trained, o); err != nil {
		return Result{}, err
	}
	reports, err := judged()
	if err != nil {
		return Result{}, err
	}
	return Result{r, reports}, r.Save(run.Results{History: f.history, Reports: reports, Last: f.last, Seen: trained.Contents})
}
