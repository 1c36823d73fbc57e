// Package demo runs the main job from one end to the other: a dataset, a frozen
// vision transformer in ONNX, embeddings on disk, a head, its figures on the
// splits it never saw, and one ONNX file from pixels to probabilities.
//
// Without further settings it needs no data and no network: the faces are drawn
// by package dataset, and where no pretrained weights can be fetched the small
// network that graft brings takes their place. Of that one it also shows what transfer
// is: frozen, partly unfrozen, and its shape trained from scratch. All that it makes
// lies in one work folder, and started again it goes on from what is there.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"graft/finetune/metrics"
	"graft/finetune/model"
	"graft/onnx/session"
	"graft/preprocess/dataset"
)

// Config says what to run on. The zero value of each field but Out means the
// default.
type Config struct {
	Out      string      // the work folder
	Data     dataset.Ref // without Path the synthetic set
	Weights  string      // checkpoint (.pth, .safetensors) or backbone (.onnx); empty: ZooName, else models.Mini
	Seed     uint64      // of training, and of the network that is trained from scratch
	Limit    int         // images per split; 0: all
	Taps     []string    // empty: cls, mean and cls of the last four blocks
	Batch    int         // images per inference; 0: extract's default
	Runtime  session.Options
	Version  string                                     // of the program, for the files' records
	Offline  bool                                       // do not try to fetch weights
	Output   io.Writer                                  // the story for people; nil: nowhere
	Progress func(label string) func(done, total int64) // may be nil
}

const (
	// ZooName is the pretrained network that is tried when no weights are given:
	// the smallest of the zoo, 23 MB.
	ZooName = "vit_tiny_patch16_augreg"
	// PerClass is the number of synthetic training images a class. Two cores
	// take about a minute for what it makes seven classes.
	PerClass = 300
)

// Result is what the demo made.
type Result struct {
	Folder     string           `json:"folder"` // of this dataset and backbone
	Backbone   string           `json:"backbone"`
	Source     string           `json:"source"`
	Pretrained *bool            `json:"pretrained,omitempty"` // as in the run's config.json
	Embeddings string           `json:"embeddings"`
	Run        string           `json:"run"`
	Reports    []metrics.Report `json:"reports"`
	Ways       []Way            `json:"ways,omitempty"`   // compared; of models.Mini only
	Page       string           `json:"report,omitempty"` // of the runs; who made it says where
	Model      string           `json:"model"`
	Image      string           `json:"image"`
	Truth      string           `json:"truth"`
	Prediction model.Prediction `json:"prediction"`
	Notes      []string         `json:"notes"`
	Seconds    float64          `json:"seconds"`
}

// job is a demo under way.
type job struct {
	Config
	result Result
	step   int
	mini   bool // the network is models.Mini
}

// Runs are the folders of what was trained.
func (r Result) Runs() []string {
	runs := []string{r.Run}
	for _, w := range r.Ways[min(1, len(r.Ways)):] { // the first way is Run
		runs = append(runs, w.Run)
	}
	return runs
}

// Run does all of it.
func Run(ctx context.Context, c Config) (_ Result, err error) {
	start := time.Now()
	if c.Out == "" {
		return Result{}, errors.New("demo: no work folder was given")
	}
	c.fill()
	j := &job{Config: c, result: Result{Notes: []string{}}} // [] in JSON, not null
	j.say("data", "%s", c.Data.Path)
	data, err := dataset.Open(ctx, c.Data, c.Progress("reading data (bytes)"))
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	j.describe(data)
	for _, step := range []func(context.Context, *dataset.Dataset) error{j.backbone, j.extract, j.train, j.compare, j.ship, j.predict} {
		if err := step(ctx, data); err != nil {
			return Result{}, err
		}
	}
	j.result.Seconds = time.Since(start).Seconds()
	fmt.Fprintf(c.Output, "\ndone in %.0f s; everything lies in %s\n", j.result.Seconds, j.result.Folder)
	return j.result, nil
}

func (c *Config) fill() {
	if c.Data.Path == "" {
		c.Data.Path = dataset.SyntheticPath
	}
	if c.Data.PerClass == 0 {
		c.Data.PerClass = PerClass
	}
	if c.Output == nil {
		c.Output = io.Discard
	}
	if c.Progress == nil {
		c.Progress = func(string) func(done, total int64) { return nil }
	}
}

// say heads a step.
func (j *job) say(title, format string, args ...any) {
	j.step++
	fmt.Fprintf(j.Output, "[%d] %s: %s\n", j.step, title, fmt.Sprintf(format, args...))
}

// tell adds a line to a step.
func (j *job) tell(format string, args ...any) {
	fmt.Fprintf(j.Output, "      %s\n", fmt.Sprintf(format, args...))
}

// note is a line that results must carry.
func (j *job) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	j.result.Notes = append(j.result.Notes, line)
	j.tell("NOTE: %s", line)
}

func (j *job) describe(d *dataset.Dataset) {
	info := d.Info()
	var parts []string
	for _, s := range d.Splits {
		parts = append(parts, fmt.Sprintf("%s %d", s, info.Splits[s].Total))
	}
	j.tell("%d images (%s), %d classes: %s", len(d.Samples), strings.Join(parts, ", "), len(d.Classes), strings.Join(d.Classes, ", "))
	for _, w := range d.Warnings {
		j.tell("warning: %s", w)
	}
	if n := len(d.Bad); n > 0 {
		j.tell("warning: %d bad entries left out", n)
	}
}

// dataName is how the dataset appears in the names of folders. The settings of
// the synthetic set are part of it, so that another size gets other folders.
func (j *job) dataName() string {
	name := baseName(j.Data.Path)
	if j.Data.Drawn() {
		name = fmt.Sprintf("%s-%d-seed%d", j.Data.Path, j.Data.PerClass, j.Data.Seed)
	}
	if j.Limit > 0 {
		name += fmt.Sprintf("-limit%d", j.Limit)
	}
	return name
}

// baseName is a file's name without folder and the endings of archives and
// weights.
func baseName(path string) string {
	name := filepath.Base(path)
	for _, end := range []string{".gz", ".tar", ".zip", ".csv", ".tgz", ".pth", ".pt", ".bin", ".safetensors", ".onnx"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}
