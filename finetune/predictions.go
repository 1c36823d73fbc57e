package finetune

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"graft/finetune/metrics"
	"graft/internal/atomicfile"
)

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

// writePredictions writes a row for each sample of a split: its index in the
// dataset, id, label, predicted class and the probability of every class.
func writePredictions(dir, split string, classes []string, f rows, probs []float32) error {
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

func predictionRows(w *csv.Writer, classes []string, f rows, probs []float32) error {
	row := []string{"index", "id", "label", "predicted"}
	for _, c := range classes {
		row = append(row, "p_"+c)
	}
	if err := w.Write(row); err != nil {
		return err
	}
	k := len(classes)
	for i, y := range f.labels {
		p := probs[i*k : (i+1)*k]
		row = append(row[:0], strconv.Itoa(f.indices[i]), f.ids[i], classes[y], classes[metrics.Argmax(p)])
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
