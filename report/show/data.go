package show

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"graft/internal/plural"
	"graft/preprocess/dataset"
	"graft/report/chart"
	"graft/report/raster"
)

// DataSchema is of a DataResult as JSON.
const DataSchema = "graft-data-show-1"

// DataConfig says what of a dataset to show.
type DataConfig struct {
	Data    *dataset.Dataset
	Split   string // whose samples are shown; "": the first one that has some
	Samples int    // of each class
	Seed    uint64 // which
}

// DataResult is what is shown of a dataset: the samples' IDs by class, and how many images each class has in each split.
type DataResult struct {
	Path    string         `json:"path"`
	Split   string         `json:"split"`
	Classes []ClassSamples `json:"classes"`
	Files   []string       `json:"files"`

	figures []Figure
}

// ClassSamples is one class of a dataset.
type ClassSamples struct {
	Name   string         `json:"name"`
	Images map[string]int `json:"images"` // by split
	Shown  []string       `json:"shown"`
}

// Write writes the pictures, and the numbers as show.json, into a folder; see [Folder].
func (r *DataResult) Write(f Folder) error {
	return f.write(DataSchema, page{Title: filepath.Base(r.Path), figures: r.figures}, r, &r.Files)
}

// Data draws some images of each class, and how the classes are distributed over the splits.
func Data(ctx context.Context, c DataConfig) (*DataResult, error) {
	info := c.Data.Info()
	if c.Split == "" {
		i := slices.IndexFunc(info.SplitNames, func(s string) bool { return info.Splits[s].Total > 0 })
		if i < 0 {
			return nil, fmt.Errorf("%s has no images", info.Path)
		}
		c.Split = info.SplitNames[i]
	}
	rows, err := c.Data.Select([]string{c.Split}, 0)
	if err != nil {
		return nil, err
	}
	r := &DataResult{Path: info.Path, Split: c.Split}
	sheet := &raster.Sheet{Title: "Samples", Beside: c.Samples,
		Lines: []string{fmt.Sprintf("%s, %s: some of %s, drawn with seed %d; a row for each class", c.Data.Name(), c.Split, plural.Of(len(rows), "image"), c.Seed)}}
	bars := &chart.Bars{Title: "Classes", Value: chart.Axis{Label: "images", Whole: true}, Categories: info.Classes}
	for label, class := range info.Classes {
		one := ClassSamples{Name: class, Images: map[string]int{}, Shown: []string{}}
		for _, s := range info.SplitNames {
			one.Images[s] = info.Splits[s].Classes[class]
		}
		sheet.Down = append(sheet.Down, fmt.Sprintf("%s (%d)", class, one.Images[c.Split]))
		tiles, err := c.tiles(ctx, rows, label, &one)
		if err != nil {
			return nil, err
		}
		sheet.Tiles, r.Classes = append(sheet.Tiles, tiles...), append(r.Classes, one)
	}
	for _, s := range info.SplitNames {
		g := chart.Group{Name: s}
		for _, class := range info.Classes {
			g.Values = append(g.Values, float64(info.Splits[s].Classes[class]))
		}
		bars.Groups = append(bars.Groups, g)
	}
	r.figures = []Figure{{Name: "samples", Sheet: sheet}, {Name: "classes", Chart: bars}}
	return r, nil
}

// face is the longer side of a sample as drawn, in points.
const face = 96

// tiles are a row of samples; places are empty where the class has fewer.
func (c DataConfig) tiles(ctx context.Context, rows []int, label int, one *ClassSamples) ([]raster.Tile, error) {
	own := slices.DeleteFunc(slices.Clone(rows), func(i int) bool { return c.Data.Samples[i].Label != label })
	rng := rand.New(rand.NewPCG(c.Seed, uint64(label)))
	rng.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
	tiles := make([]raster.Tile, c.Samples)
	for k := range tiles {
		tiles[k] = raster.Tile{W: face, H: face}
		if k >= len(own) {
			continue
		}
		im, err := c.Data.Image(ctx, own[k])
		if err != nil {
			return nil, err
		}
		w, h := fitted(im.W, im.H, face)
		tiles[k] = raster.Tile{Image: im.ToImage(), W: w, H: h, Smooth: max(im.W, im.H) > face, Caption: c.Data.Samples[own[k]].ID}
		one.Shown = append(one.Shown, c.Data.Samples[own[k]].ID)
	}
	return tiles, nil
}
