package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"graft/finetune/model"
	"graft/finetune/ship"
	"graft/internal/filehash"
	"graft/preprocess"
	"graft/preprocess/synthetic"
	"graft/pretrained"
)

// SiteSchema is of a site's site.json.
const SiteSchema = "graft-site-1"

// siteTolerance is how far a browser's probabilities of the built-in photograph may lie from graft's.
const siteTolerance = 1e-3

// SiteConfig says what a site is made of.
type SiteConfig struct {
	Export  ship.Config // of the run; Out, Whole and Evidence are set here
	Dir     string      // new, empty, or of an earlier site
	Runtime string      // folder with the files of WebRuntime
}

// site is what the page reads first.
type site struct {
	Model     string            `json:"model"`
	Labels    []string          `json:"labels"`
	Notes     []string          `json:"notes"`
	Evidence  string            `json:"evidence"` // what the heat map is, in words; "": there is none
	Seen      seen              `json:"seen"`
	Pixels    int64             `json:"pixels"`    // of a photograph at most
	Check     []float32         `json:"check"`     // graft's probabilities of check.png
	Tolerance float64           `json:"tolerance"` // by which the browser's may differ
	Files     map[string]string `json:"files"`     // SHA-256 by name
}

// seen is what of a photograph reaches the network, see preprocess.Spec.Part.
type seen struct {
	Size   int     `json:"size"`
	Crop   float64 `json:"crop"`
	Host   bool    `json:"host"`
	Aspect int     `json:"aspect"`
}

// WriteSite writes the page as a folder of files in which the run's model runs in the browser, without a server of ours. The
// files of the runtime are refused unless they are those that are known.
func WriteSite(ctx context.Context, c SiteConfig) (ship.Exported, error) {
	if err := siteFolder(c.Dir); err != nil {
		return ship.Exported{}, err
	}
	files, err := runtimeFiles(c.Runtime)
	if err != nil {
		return ship.Exported{}, err
	}
	c.Export.Out, c.Export.Whole, c.Export.Evidence = filepath.Join(c.Dir, "model.onnx"), true, true
	e, err := ship.Export(ctx, c.Export)
	if err != nil {
		return e, err
	}
	s := site{Model: filepath.Base(filepath.Clean(c.Export.Run)), Labels: e.Labels, Notes: append([]string{}, e.Notes...), Pixels: 25_000_000, Tolerance: siteTolerance, Files: map[string]string{}}
	f, err := pretrained.OpenFile(e.File)
	if err != nil {
		return e, err
	}
	s.describe(f, e.Outputs)
	photo := synthetic.Photo(1, 1, 180, 240) // is resized and cut in the graph
	if s.Check, err = answerOf(ctx, c.Export, e.File, photo); err != nil {
		return e, err
	}
	var drawn bytes.Buffer
	if err := png.Encode(&drawn, photo.ToImage()); err != nil {
		return e, err
	}
	files["check.png"] = drawn.Bytes()
	if err := pageFiles(files); err != nil {
		return e, err
	}
	if s.Files["model.onnx"], err = filehash.File(ctx, e.File); err != nil {
		return e, err
	}
	return e, s.write(c.Dir, files)
}

// describe tells what the page shows of a model's outputs, and where.
func (s *site) describe(f *pretrained.File, outputs []string) {
	m := f.Meta
	spec := m.Spec
	if m.Foreign != nil {
		spec = *m.Foreign
	}
	s.Seen = seen{spec.Size, spec.Crop, spec.Host || m.Foreign != nil || m.Kind != "", preprocess.MaxAspect}
	if s.Seen.Crop == 0 || m.Kind != "" {
		s.Seen.Crop = 1
	}
	has := func(prefix string) bool {
		return slices.ContainsFunc(outputs, func(o string) bool { return strings.HasPrefix(o, prefix) })
	}
	switch {
	case spec.Width != 0:
	case has(ship.OutAttention):
		s.Evidence = "Coloured: how much of each place reaches the answer through the attention of all blocks (rollout)."
	case has(ship.OutMaps):
		s.Evidence = "Coloured: where the last layer of feature maps answers, all maps together."
	}
}

// fileTolerance is how far the file's probabilities may lie from the run's: the run resizes photographs in 8 bits.
const fileTolerance = 1e-2

// answerOf is what graft says of a photograph with the file that was written, which must be what the run says.
func answerOf(ctx context.Context, c ship.Config, file string, photo preprocess.Image) ([]float32, error) {
	of := func(path string, o model.Options) (probs []float32, err error) {
		p, err := model.Open(ctx, path, o)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		return p.Image(ctx, photo)
	}
	want, err := of(c.Run, model.Options{Model: c.Model, Foreign: c.Foreign})
	if err != nil {
		return nil, err
	}
	got, err := of(file, model.Options{})
	if err != nil {
		return nil, err
	}
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= fileTolerance) {
			return nil, fmt.Errorf("%s gives class %d of a drawn photograph %g, run %s %g: more than %g apart", file, i, got[i], c.Run, want[i], fileTolerance)
		}
	}
	return got, nil
}
