package run

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/atomicfile"
	"graft/preprocess/dataset"
)

// Rows are the samples of one split.
type Rows struct {
	Labels  []int
	IDs     []string
	Indices []int // positions in the dataset
}

// Add appends the samples at indices.
func (r *Rows) Add(d *dataset.Dataset, indices []int) {
	for _, i := range indices {
		s := d.Samples[i]
		r.Labels, r.IDs, r.Indices = append(r.Labels, s.Label), append(r.IDs, s.ID), append(r.Indices, i)
	}
}

// AbsentClasses notes the classes that train has no sample of: a model cannot
// learn them.
func (r Rows) AbsentClasses(classes []string) []string {
	var notes []string
	for c, name := range classes {
		if !slices.Contains(r.Labels, c) {
			notes = append(notes, fmt.Sprintf("Class %s has no training sample.", name))
		}
	}
	return notes
}

// predictionsPath is the file for a split; split names come from folders, so
// what a file name cannot hold is replaced.
func predictionsPath(dir, split string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, split)
	return filepath.Join(dir, predictionsPrefix+safe+predictionsSuffix)
}

// WritePredictions writes a row for each sample of a split: its index in the
// dataset, id, label, predicted class and the probability of every class.
func WritePredictions(dir, split string, classes []string, f Rows, probs []float32) error {
	path := predictionsPath(dir, split)
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	buf := bufio.NewWriter(file)
	if err := predictionRows(csv.NewWriter(buf), classes, f, probs); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Commit()
}

func predictionRows(w *csv.Writer, classes []string, f Rows, probs []float32) error {
	row := []string{"index", "id", "label", "predicted"}
	for _, c := range classes {
		row = append(row, "p_"+c)
	}
	if err := w.Write(row); err != nil {
		return err
	}
	k := len(classes)
	for i, y := range f.Labels {
		p := probs[i*k : (i+1)*k]
		row = append(row[:0], strconv.Itoa(f.Indices[i]), f.IDs[i], classes[y], classes[metrics.Argmax(p)])
		for _, v := range p {
			row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
