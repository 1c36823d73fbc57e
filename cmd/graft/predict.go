package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/finetune/model"
	"graft/internal/atomicfile"
	"graft/internal/plural"
	"graft/preprocess/dataset"
)

// predictCommand classifies images.
func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "label and probabilities for images, folders, lists and archives",
		ArgsUsage: "MODEL PATH...",
		Description: `MODEL is a run folder, or an ONNX file that graft export wrote. A PATH is an image, a set of images in any
form that --data takes elsewhere (its labels do not count), or - for standard input: one image, or a path
a line. An image that cannot be read is named, the others are still classified, and the exit status is 1:

   graft predict runs/head photo.jpg face.png --top 3
   graft predict faces.onnx photos/ more.zip --csv answers.csv --threshold 0.6
   graft predict faces.onnx party.jpg --faces
   find . -name '*.jpg' | graft predict faces.onnx - --jsonl answers.jsonl`,
		Flags: slices.Concat([]cli.Flag{
			atLeast(0, &cli.IntFlag{Name: "top", Value: 3, Usage: "show the `N` most probable classes (0: all)"}),
			&cli.Float64Flag{Name: "threshold", Usage: "call an image " + model.Unsure + " whose most probable class has less than this `PROBABILITY`",
				Action: func(_ *cli.Context, p float64) error {
					if !(p > 0 && p <= 1) {
						return usageErrorf("--threshold %g, want a probability above 0 and at most 1", p)
					}
					return nil
				}},
			&cli.StringFlag{Name: "csv", Usage: "write a row an image, with the probabilities of all classes, to `FILE` (- for standard output)"},
			&cli.StringFlag{Name: "jsonl", Usage: "write a JSON object an image, a line each, to `FILE` (- for standard output)"},
			&cli.StringFlag{Name: "model", Usage: "the backbone's ONNX `FILE`, if it is not where the run says; its hash must be the recorded one"},
			jsonFlag(),
		}, faceFlags(), providerFlags(), foreignFlags()),
		Action: predict,
	}
}

func predict(c *cli.Context) (err error) {
	if err := refuseBackbone(c, c.Args().First()); err != nil {
		return err
	}
	if err := refuseOverwriting(c); err != nil {
		return err
	}
	o, err := backboneOptions(c)
	if err != nil {
		return err
	}
	pictures, err := model.OpenPictures(c.Context, c.Args().Tail(), c.App.Reader, observer(c).Progress)
	if err != nil {
		return err
	}
	defer closeInto(&err, pictures)
	faces, err := openFaces(c, o.Runtime, len(pictures.List) > 1)
	if err != nil {
		return err
	}
	if faces != nil {
		defer closeInto(&err, faces)
	}
	p, err := model.Open(c.Context, c.Args().First(), model.Options{Runtime: o.Runtime, Model: c.String("model"), Foreign: o.Foreign, Many: len(pictures.List) > 1})
	if err != nil {
		return err
	}
	defer closeInto(&err, p)
	for _, n := range p.Notes() {
		logf(c, "note: %s", n)
	}
	a, err := openAnswers(c, p.Labels(), len(pictures.List))
	if err != nil {
		return err
	}
	defer a.abort()
	if err := p.Each(c.Context, pictures.List, model.EachOptions{Threshold: c.Float64("threshold"), Faces: faces}, a.add); err != nil {
		return err
	}
	if err := a.commit(); err != nil {
		return err
	}
	if err := writeJSON(c, "graft-predict-1", a.list); err != nil {
		return err
	}
	if a.failed > 0 {
		return fmt.Errorf("%d of %s could not be classified", a.failed, plural.Of(a.done, "image"))
	}
	return nil
}

// refuseOverwriting refuses outputs that are one file, or one that is read.
func refuseOverwriting(c *cli.Context) error {
	by := map[string]string{}
	for _, flag := range []string{"csv", "jsonl", "json"} {
		out := c.String(flag)
		if out == "" {
			continue
		}
		if other := by[out]; other != "" {
			return usageErrorf("--%s and --%s both write %s", other, flag, out)
		}
		by[out] = flag
		for _, path := range c.Args().Slice() {
			if in := strings.TrimPrefix(path, dataset.ListPrefix); atomicfile.Same(in, out) {
				return usageErrorf("--%s would write over %s, which is read", flag, in)
			}
		}
	}
	return nil
}

// answers are predictions on their way to where they were asked for.
type answers struct {
	c            *cli.Context
	human        io.Writer // nil where a file is written instead
	files        []*answerFile
	list         []model.Prediction // for --json
	keep         bool
	done, failed int
	total        int
	progress     func(done, total int64)
	counts       map[string]int
}

func openAnswers(c *cli.Context, labels []string, total int) (_ *answers, err error) {
	a := &answers{c: c, total: total, keep: c.String("json") != "", list: []model.Prediction{}, counts: map[string]int{}}
	if a.human = humanOut(c); c.String("csv") != "" || c.String("jsonl") != "" {
		a.human = nil
	}
	if total > 1 {
		a.progress = newProgress(c, "classifying (images)")
	}
	defer func() {
		if err != nil {
			a.abort()
		}
	}()
	for _, f := range []struct {
		flag string
		form answerForm
	}{{"csv", csvAnswers}, {"jsonl", jsonlAnswers}} {
		path := c.String(f.flag)
		if path == "" {
			continue
		}
		f, err := openAnswerFile(c, path, f.form(answerShape{labels, c.Int("top"), c.Bool("faces")}))
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, f)
	}
	return a, nil
}

// add tells what is said of one picture.
func (a *answers) add(list []model.Prediction) error {
	a.done++
	if a.progress != nil {
		a.progress(int64(a.done), int64(a.total))
	}
	for _, p := range list {
		for _, f := range a.files {
			if err := f.add(p); err != nil {
				return err
			}
		}
		a.tell(topOf(p, a.c.Int("top")))
	}
	return nil
}

// tell keeps, prints or counts an answer.
func (a *answers) tell(p model.Prediction) {
	if a.keep {
		a.list = append(a.list, p)
	}
	switch {
	case p.Error != "":
		a.failed++
		fmt.Fprintln(a.c.App.ErrWriter, "graft:", p.Error)
	case a.human != nil:
		printPrediction(a.human, p)
	default:
		a.counts[p.Label]++
	}
}

func (a *answers) abort() {
	for _, f := range a.files {
		f.abort()
	}
}

// commit makes the files whole, and says in short what they hold.
func (a *answers) commit() error {
	var written []string
	for _, f := range a.files {
		if err := f.commit(); err != nil {
			return err
		}
		if f.file != nil {
			written = append(written, f.path)
		}
	}
	if written != nil {
		fmt.Fprintf(humanOut(a.c), "%s: %s\n", strings.Join(written, ", "), summary(a.counts, a.failed))
	}
	return nil
}

// summary is how often each label was given, the most frequent first.
func summary(counts map[string]int, failed int) string {
	labels := make([]string, 0, len(counts))
	for l := range counts {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	slices.SortStableFunc(labels, func(a, b string) int { return counts[b] - counts[a] })
	text, sep := "", ""
	for _, l := range labels {
		text += fmt.Sprintf("%s%d %s", sep, counts[l], l)
		sep = ", "
	}
	if failed > 0 {
		text += fmt.Sprintf("%s%d not read", sep, failed)
	}
	return text
}

func printPrediction(out io.Writer, p model.Prediction) {
	fmt.Fprintf(out, "%s:", p.Image)
	after := "\n"
	if p.Face != nil {
		box, landmarks := faceText(p.Face)
		fmt.Fprint(out, box)
		after = "\n  " + landmarks + "\n"
	}
	switch p.Label {
	case model.Unsure:
		fmt.Fprint(out, " "+model.Unsure+":")
	case model.NoFace:
		fmt.Fprint(out, " "+model.NoFace)
	}
	sep := ""
	for _, s := range p.Scores {
		fmt.Fprintf(out, "%s %s %.1f%%", sep, s.Label, 100*s.Probability)
		sep = ","
	}
	fmt.Fprint(out, after)
}
