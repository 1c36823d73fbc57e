package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"graft/finetune/model"
	"graft/internal/atomicfile"
)

// answerFile is a file of predictions under way, or standard output.
type answerFile struct {
	path  string
	file  *atomicfile.File // nil: standard output
	buf   *bufio.Writer
	write func(model.Prediction) error
}

// answerShape is what answers have: the classes, how many of the most probable are told, and whether they are of faces.
type answerShape struct {
	labels []string
	top    int
	faces  bool
}

// answerForm begins a form of answers.
type answerForm func(answerShape) func(to io.Writer) (write func(model.Prediction) error, err error)

func openAnswerFile(c *cli.Context, path string, begin func(io.Writer) (func(model.Prediction) error, error)) (f *answerFile, err error) {
	f = &answerFile{path: path, buf: bufio.NewWriter(c.App.Writer)}
	if path != "-" {
		if f.file, err = atomicfile.Create(path); err != nil {
			return nil, err
		}
		f.buf.Reset(f.file)
	}
	if f.write, err = begin(f.buf); err != nil {
		f.abort()
		return nil, f.named(err)
	}
	return f, nil
}

func (f *answerFile) named(err error) error { return fmt.Errorf("%s: %w", f.path, err) }

// add writes one prediction; what reads standard output gets it at once.
func (f *answerFile) add(p model.Prediction) error {
	err := f.write(p)
	if err == nil && f.file == nil {
		err = f.buf.Flush()
	}
	if err != nil {
		return f.named(err)
	}
	return nil
}

func (f *answerFile) commit() error {
	if err := f.buf.Flush(); err != nil {
		return f.named(err)
	}
	if f.file == nil {
		return nil
	}
	return f.file.Commit()
}

func (f *answerFile) abort() {
	if f.file != nil {
		f.file.Abort()
	}
}

// csvAnswers has a row an image, or a face: its name, label, the probability of that class's or of the most probable one, of all
// classes in the model's order, where faces were looked for box and landmarks, and why there are none.
func csvAnswers(shape answerShape) func(io.Writer) (func(model.Prediction) error, error) {
	return func(to io.Writer) (func(model.Prediction) error, error) {
		w := csv.NewWriter(to)
		row := []string{"image", "label", "probability"}
		for _, l := range shape.labels {
			row = append(row, "p_"+l)
		}
		if shape.faces {
			row = append(row, faceColumns()...)
		}
		row = append(row, "error")
		write := func(row []string) error {
			if err := w.Write(row); err != nil {
				return err
			}
			w.Flush()
			return w.Error()
		}
		return func(p model.Prediction) error {
			of := make(map[string]string, len(shape.labels))
			for _, s := range p.Scores {
				of[s.Label] = strconv.FormatFloat(float64(s.Probability), 'g', -1, 32)
			}
			row := []string{p.Image, p.Label, ""}
			if len(p.Scores) > 0 {
				row[2] = of[p.Scores[0].Label]
			}
			for _, l := range shape.labels {
				row = append(row, of[l])
			}
			if shape.faces {
				row = append(row, faceCells(p.Face)...)
			}
			return write(append(row, p.Error))
		}, write(row)
	}
}

// jsonlAnswers has a Prediction as a JSON object a line, with the most probable classes.
func jsonlAnswers(shape answerShape) func(io.Writer) (func(model.Prediction) error, error) {
	return func(to io.Writer) (func(model.Prediction) error, error) {
		encoder := json.NewEncoder(to)
		return func(p model.Prediction) error { return encoder.Encode(topOf(p, shape.top)) }, nil
	}
}

// topOf leaves a prediction its most probable classes, all with 0.
func topOf(p model.Prediction, top int) model.Prediction {
	if top > 0 && top < len(p.Scores) {
		p.Scores = p.Scores[:top]
	}
	return p
}
