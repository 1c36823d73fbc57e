package ship

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"graft/finetune/metrics"
	"graft/finetune/nets"
	"graft/finetune/run"
	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/preprocess"
)

//go:embed card.md
var cardText string

var cardTemplate = template.Must(template.New("card").Funcs(template.FuncMap{"join": strings.Join, "base": filepath.Base}).Parse(cardText))

// card is what a model card tells; see Mitchell et al. 2019, https://arxiv.org/abs/1810.03993.
type card struct {
	Exported
	Config  run.Config
	Version string
	T       float64 // temperature

	Name, What, Pixels, Mirrored, Data, Calibrated string

	Reports       []metrics.Report
	Rows, Recalls [][]string
}

// addBeside writes the labels, a line each, and the model card beside a file that was exported.
func addBeside(r *run.Run, e *Exported, foreign *preprocess.Spec, o Config) error {
	base := strings.TrimSuffix(e.File, filepath.Ext(e.File))
	e.LabelsFile, e.Card = base+".labels.txt", base+".card.md"
	var lines strings.Builder
	for _, l := range e.Labels {
		lines.WriteString(strings.ReplaceAll(l, "\n", `\n`) + "\n")
	}
	if err := atomicfile.WriteFile(e.LabelsFile, []byte(lines.String())); err != nil {
		return err
	}
	c := card{Exported: *e, Config: r.Config, Version: o.Version, T: r.Config.SoftmaxTemperature(), Name: filepath.Base(e.File)}
	c.LabelsFile = filepath.Base(c.LabelsFile)
	c.describe(foreign)
	if o.Whole {
		c.Pixels = wholePixels
	}
	var err error
	if c.Reports, err = run.ReadMetrics(r.Dir); err != nil {
		return err
	}
	c.figures()
	var b bytes.Buffer
	if err := cardTemplate.Execute(&b, c); err != nil {
		return fmt.Errorf("%s: %w", e.Card, err)
	}
	return atomicfile.WriteFile(e.Card, b.Bytes())
}

// describe says in words what the model is, reads and learned from.
func (c *card) describe(foreign *preprocess.Spec) {
	k := c.Config
	if k.OnBackbone() {
		taps := strings.Join(k.Head.Taps, ", ")
		if n := len(k.Head.Taps); n > 6 {
			taps = fmt.Sprintf("%d taps", n)
		}
		c.What = fmt.Sprintf("A head (%s) on %s", k.Head.Recipe, taps)
		if k.Kind != nets.KindHead {
			c.What = "A network whose last blocks were trained, with a head on " + taps + ","
		}
		if b := k.Backbone; b.Arch != "" || b.Source != "" {
			c.What += fmt.Sprintf(" of %s from %s", cmp.Or(b.Arch, "a network"), cmp.Or(b.Source, filepath.Base(b.Model)))
		}
		spec := k.Backbone.Preprocessing
		if foreign != nil {
			spec = *foreign
		}
		c.Pixels = pixelsOf(spec, foreign != nil)
	} else {
		c.What = fmt.Sprintf("A %s of %d parameters, trained from scratch", k.Kind, nets.Parameters(k.Net))
		side := k.Pixels.Side
		c.Pixels = fmt.Sprintf("Pixels are bytes 0 to 255, of %d×%d; photographs are cut to a square from their middle and resized to that (bilinear, antialiased) first.", side, side)
	}
	if k.OnBackbone() && k.Head.UseFlip || !k.OnBackbone() && k.Pixels.Mirror {
		c.Mirrored = "The logits are the mean over the image and its mirror image, inside the graph."
	}
	c.Data = cmp.Or(k.Dataset.Name, "A set whose name was not recorded")
	if f := strings.TrimPrefix(k.Dataset.Fingerprint, "sha256:"); f != "" {
		c.Data += fmt.Sprintf(" (fingerprint sha256:%.16s…)", f)
	}
	if t := k.Training; t != nil && t.Samples > 0 {
		c.Data += fmt.Sprintf(", %d images of train", t.Samples)
	} else if n := k.Embeddings.Rows["train"]; n > 0 {
		c.Data += fmt.Sprintf(", %d images of train", n)
	}
	c.Data += "."
	c.Calibrated = "The temperature is 1: nothing was held out to fit one on."
	if cal := k.Calibration; cal != nil {
		c.Calibrated = fmt.Sprintf("The temperature %.4g was fitted on %s of train, held out: cross-entropy %.4f there, %.4f without.",
			c.T, plural.Of(cal.Rows, "row"), cal.Loss, cal.Uncalibrated)
	}
}

// wholePixels is how photographs come to a file that does all of that itself.
const wholePixels = "Pixels are bytes 0 to 255 of upright photographs of any size, row by row and pixel by pixel, RGB or gray (C is 3 or 1), as image " +
	"libraries decode them: resizing (antialiased) and the crop of the middle are in the graph."

// pixelsOf is how images come to a backbone, in numbers.
func pixelsOf(s preprocess.Spec, floats bool) string {
	w := s.Width
	if w == 0 {
		w = s.Size
	}
	if floats {
		return fmt.Sprintf("Images are cut to the middle %g of their shorter side, resized to %d×%d (%s), divided by 255, less the mean %v, divided by %v: "+
			"other programs do that before they call it.", s.Crop, s.Size, w, s.Filter, s.Mean, s.Std)
	}
	return fmt.Sprintf("Pixels are bytes 0 to 255, RGB or gray, of at most %d×%d and of that shape: the graph enlarges them to it (%s), divides by 255, "+
		"and takes off the mean %v and divides by %v. Photographs are cut to the middle %g of their shorter side, and larger ones shrunk (antialiased), first.",
		s.Size, w, s.Filter, s.Mean, s.Std, s.Crop)
}

// figures fills the tables.
func (c *card) figures() {
	row := func(name string, value func(r metrics.Report) string) {
		cells := []string{name}
		for _, r := range c.Reports {
			cells = append(cells, value(r))
		}
		c.Rows = append(c.Rows, cells)
	}
	row("images", func(r metrics.Report) string { return fmt.Sprint(r.Total) })
	row("accuracy, as published", func(r metrics.Report) string { return share(r.Accuracy, &r.Interval) })
	row("accuracy, clean", func(r metrics.Report) string {
		if r.Clean == nil || r.Clean.Accuracy == nil {
			return "not known"
		}
		return fmt.Sprintf("%s of %d", share(*r.Clean.Accuracy, &r.Clean.Interval), r.Clean.Total)
	})
	row("balanced accuracy", func(r metrics.Report) string { return share(r.Balanced, r.BalancedInterval) })
	row("macro F1", func(r metrics.Report) string { return fmt.Sprintf("%.3f", r.MacroF1) })
	row("cross-entropy", func(r metrics.Report) string { return fmt.Sprintf("%.4f", r.Loss) })
	row("Brier score", func(r metrics.Report) string { return fmt.Sprintf("%.3f", r.Brier) })
	row("calibration error", func(r metrics.Report) string { return fmt.Sprintf("%.3f", r.ECE) })
	for _, class := range c.Config.Classes {
		cells := []string{strings.NewReplacer("|", `\|`, "\n", " ").Replace(class)}
		for _, r := range c.Reports {
			cell := "–"
			if i := slices.IndexFunc(r.Classes, func(k metrics.Class) bool { return k.Name == class }); i >= 0 && r.Classes[i].Total > 0 {
				k := r.Classes[i]
				cell = fmt.Sprintf("%s of %d", share(k.Recall, k.RecallInterval), k.Total)
			}
			cells = append(cells, cell)
		}
		c.Recalls = append(c.Recalls, cells)
	}
}

func share(v float64, interval *[2]float64) string {
	if interval == nil {
		return fmt.Sprintf("%.1f%%", 100*v)
	}
	return fmt.Sprintf("%.1f%% (%.1f–%.1f)", 100*v, 100*interval[0], 100*interval[1])
}
