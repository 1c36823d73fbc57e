package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"graft/finetune/fit"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/finetune/train"
	"graft/internal/measure"
	"graft/preprocess"
	"graft/preprocess/augment"
)

// network trains one of the study's by its recipe. A round is a pass over the
// images as graft train makes it: shuffled, in batches, the loss of every step
// looked at.
func (c Config) network(ctx context.Context, kind string, progress func(done, total int64)) ([]measure.Case, error) {
	recipe, err := train.NewNetConfig(kind, run.RecipeStudy)
	if err != nil {
		return nil, err
	}
	var net nets.Net = nets.StudyCNN(classes)
	if kind == ViT {
		net = nets.StudyViT(classes)
	}
	data, err := c.images(recipe.Pixels.Side, net)
	if err != nil {
		return nil, err
	}
	settings := recipe.Fit
	settings.Batch = cmp.Or(c.Batch, settings.Batch)
	settings.Epochs, settings.Threads, settings.Seed = c.Rounds+1, c.Threads, c.Seed
	result, err := fit.Train(ctx, fit.Job{Net: net, Config: settings, Train: data, Progress: progress})
	if err != nil {
		return nil, err
	}
	var rounds []time.Duration
	for _, e := range result.History[1:] { // the first one warms up
		rounds = append(rounds, time.Duration(e.Seconds*float64(time.Second)))
	}
	return []measure.Case{measured(kind, float64(c.Images), imageUnit, settings.Batch, rounds)}, nil
}

// images draws faces of side×side and keeps them at the network's size.
func (c Config) images(side int, net nets.Net) (fit.Data, error) {
	shape := net.InputShape()
	pixels := fit.NewPixels(c.Images, shape[0], side, shape[1])
	r := rand.New(rand.NewPCG(c.Seed, 0x70697865)) // "pixe"
	im := preprocess.Image{C: shape[0], H: side, W: side, Pix: make([]uint8, shape[0]*side*side)}
	rows, labels := make([]int, c.Images), make([]int, c.Images)
	for i := range c.Images {
		for j := range im.Pix {
			im.Pix[j] = uint8(r.Uint32())
		}
		if err := pixels.Set(i, im); err != nil {
			return nil, fmt.Errorf("random images: %w", err)
		}
		rows[i], labels[i] = i, r.IntN(net.Classes())
	}
	return fit.NewImages(pixels, rows, fit.OneHot(labels, net.Classes()), net.Classes(), augment.Pipeline{}, c.Seed)
}
